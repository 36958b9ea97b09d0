//! Messages of thrift and protobuf, made by their compilers, in frames.

use bytes::Bytes;
use scene_host::{Action, Verdict};

use crate::stage::{Stage, alone, log, logged, messages, venv};

/// Starts a script that uses generated classes.
async fn start(source: &str) -> Stage {
    Stage::start_as(source, |config| config.venv = Some(venv())).await
}

/// The bodies of what was sent to one session, by cmd.
fn bodies(actions: &[Action]) -> Vec<(u16, Bytes)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send { parcel, .. } => Some((parcel.cmd, parcel.body.clone())),
        _ => None,
    });
    sent.collect()
}

/// A scene that sends one message of each kind to whoever enters, and echoes them.
const ECHO: &str = r#"
import ffext, chat_pb2
from chat import ttypes

SAYS = {
    1: ttypes.Say('world', [ttypes.Line('hi', 5)], {'a': 0.5}, {3}, b'\0\xff'),
    2: chat_pb2.Say(channel='world', lines=[chat_pb2.Line(text='hi', at=5)], blob=b'\0\xff'),
    3: b'\0\xff',
    4: {'channel': 'world', 'lines': [['hi', 5]]},
    5: ttypes.Place(3, -4),
}
TYPES = {1: ttypes.Say, 2: chat_pb2.Say, 3: bytes, 4: 'json', 5: ttypes.Place}

@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    for cmd, say in SAYS.items():
        ffext.send_msg_session(session, cmd, say)

def echo(cmd):
    @ffext.session_call(cmd, TYPES[cmd])
    async def echo(session, message):
        assert message == SAYS[cmd], message
        assert type(message) is type(SAYS[cmd]), message
        ffext.send_msg_session(session, cmd, message)

for cmd in SAYS:
    echo(cmd)
"#;

#[test]
fn a_message_of_each_kind_crosses_both_ways() {
    alone(|| async {
        let mut stage = start(ECHO).await;
        stage.enter("ann", 1);
        let sent = stage
            .until(|actions| {
                let bodies = bodies(actions);
                (bodies.len() == 5).then_some(bodies)
            })
            .await;
        stage.take_actions();
        for (cmd, body) in &sent {
            stage.frame(1, *cmd, body.clone());
        }
        stage.finished(5).await;
        assert_eq!(bodies(&stage.take_actions()), sent, "{}", log());
        assert_eq!(&sent[2].1[..], b"\0\xff");
        assert!(stage.stop().await);
    });
}

#[test]
fn bodies_that_are_not_of_the_type_reach_no_handler_and_are_logged_once_a_session() {
    alone(|| async {
        let mut stage = start(ECHO).await;
        stage.enter("ann", 1);
        stage.enter("bob", 2);
        // Two billion bytes of text, and lists as long; nothing at all; nested
        // without end; what is missing; what is no message.
        let deep = b"\x0c\0\x06".repeat(20_000);
        let bad: [(u16, &[u8]); 9] = [
            (1, b"\x0b\0\x01\x7f\xff\xff\xff"),
            (1, b"\x0f\0\x02\x0c\x7f\xff\xff\xff"),
            (1, b""),
            (1, &deep),
            (1, b"\0"),
            (2, b"\x0a\xff\xff\xff\xff\x07"),
            (2, b""),
            (2, b"\xff\xff"),
            (4, b"["),
        ];
        for (cmd, body) in bad {
            stage.frame(1, cmd, Bytes::copy_from_slice(body));
            stage.frame(2, cmd, Bytes::copy_from_slice(body));
        }
        stage.frame(1, 3, &b"\0\xff"[..]);
        stage.finished(19).await;
        let log = log();
        assert_eq!(log.matches("frame cannot be read").count(), 2, "{log}");
        assert!(log.contains("error=\"not a Say: "), "{log}");
        assert!(!log.contains("main.echo"), "a handler was called: {log}");
        let echoed = bodies(&stage.take_actions());
        assert_eq!(echoed.len(), 11, "two greetings, and the last frame's echo");
        assert!(stage.stop().await);
    });
}

#[test]
fn everything_that_sends_takes_messages_of_all_kinds() {
    alone(|| async {
        let mut stage = start(
            r#"
            import ffext, chat_pb2
            from chat.ttypes import Line
            values = [Line('hi', None, None), chat_pb2.Line(text='hi'), bytearray(b'hi'),
                      memoryview(b'-h-i-')[1::2], b'hi', ['hi']]
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                return [session_key, values[int(session_key)]]
            @ffext.session_call(1)
            def send(session, message):
                for value in values:
                    ffext.send_msg_session(session, 1, value)
                    ffext.multi_send_msg_session([session], 2, value)
                    ffext.broadcast_msg_session(3, value)
                    ffext.send_channel('c', 4, value)
            "#,
        )
        .await;
        let forms = [
            "\u{b}\0\u{1}\0\0\0\u{2}hi\0",
            "\n\u{2}hi",
            "hi",
            "hi",
            "hi",
            "[\"hi\"]",
        ];
        for (place, form) in forms.iter().enumerate() {
            let verdict = stage.verify(&place.to_string()).await;
            let Verdict::Accepted { reply, .. } = verdict else {
                panic!("{verdict:?}\n{}", log());
            };
            assert_eq!(reply, form.as_bytes(), "value {place}");
        }
        stage.enter("ann", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        let expected: Vec<String> = forms
            .iter()
            .flat_map(|form| ["1/1", "1/2", "*/3", "#c/4"].map(|to| format!("{to}: {form}")))
            .collect();
        assert_eq!(messages(&stage.take_actions()), expected, "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn what_cannot_be_encoded_is_a_type_error_that_says_what_can_be_sent() {
    alone(|| async {
        let mut stage = start(
            r#"
            import ffext, chat_pb2
            from chat.ttypes import Line, Say
            circle = Say('x')
            circle.quoted = circle
            @ffext.session_call(1)
            def send(session, message):
                values = [Line(), chat_pb2.Line(), circle, Say(5), object(), Line, [Line('x')],
                          {'a': chat_pb2.Line(text='x')}, bytearray(2 << 20), memoryview(bytes(2 << 20)),
                          Line('x' * (1 << 20))]
                for value in values:
                    try:
                        ffext.send_msg_session(session, 1, value)
                    except Exception as error:
                        print(type(error).__name__, error)
                    else:
                        print('sent', value)
            "#,
        )
        .await;
        stage.enter("ann", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for text in [
            "TypeError cannot be sent: a Line TProtocolException: Required field text is unset!",
            "TypeError cannot be sent: a Line EncodeError: ",
            "TypeError cannot be sent: a Say TProtocolException: Maximum recursion depth exceeded",
            "TypeError cannot be sent: a Say TypeError: expected bytes, int found",
            "a value of type object; JSON has dict, list, tuple, set, str, int, float, bool and \
             None, and bytes and messages of thrift and protobuf are sent as they are",
            "a value of type type; JSON has",
            "at [0]: a Line inside of a value; messages of thrift and protobuf are sent alone",
            "at ['a']: a Line inside of a value",
            "ValueError a message has at most",
        ] {
            logged(text).await;
        }
        assert_eq!(log().matches("ValueError a message has at most").count(), 3);
        assert!(!log().contains("sent <"), "{}", log());
        assert!(messages(&stage.take_actions()).is_empty());
        assert!(stage.stop().await);
    });
}

#[test]
fn scripts_read_and_write_messages_themselves() {
    alone(|| async {
        let mut stage = start(
            r#"
            import asyncio, ffext, chat_pb2
            from chat.ttypes import Line
            def check():
                for line in (Line('hi', 5), chat_pb2.Line(text='hi', at=5)):
                    assert ffext.decode_buff(type(line), ffext.to_str(line)) == line
                assert ffext.to_str({'a': '☃'}) == '{"a":"☃"}'.encode()
                assert ffext.json_to_value('{"a": [1, 2.5, null]}') == {'a': [1, 2.5, None]}
                assert ffext.decode_buff('json', bytearray(b'[1]')) == [1]
                for text in ('{', b'\xff', '', '[1] 2'):
                    try:
                        ffext.json_to_value(text)
                    except ValueError as error:
                        assert 'not JSON' in str(error), error
                    else:
                        assert False, text
            @ffext.session_call(1)
            async def everywhere(session, message):
                check()
                await asyncio.to_thread(check)
                ffext.send_msg_session(session, 1, 'done')
            "#,
        )
        .await;
        stage.enter("ann", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        assert_eq!(
            messages(&stage.take_actions()),
            ["1/1: \"done\""],
            "{}",
            log()
        );
        assert!(stage.stop().await);
    });
}
