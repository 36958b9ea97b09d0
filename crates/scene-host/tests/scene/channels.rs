//! Messages for those who are not named: channels, gates, everybody.

use protocol::{
    Login,
    v1::{NodeState, Role},
};
use scene_host::Action;

use crate::{
    cluster::Group,
    stage::{GATE, OTHER_GATE, Stage, alone, log, logged},
};

#[test]
fn sessions_join_and_leave_channels() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def call(session, message):
                print(ffext.join_channel(session, 'räume/1'), ffext.leave_channel(session, 'x' * 128),
                      ffext.join_channel('nobody', 'x'), ffext.leave_channel('nobody', 'x'))
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        logged("True True False False").await;
        let memberships: Vec<Action> = stage
            .take_actions()
            .into_iter()
            .filter(|action| matches!(action, Action::Membership { .. }))
            .collect();
        let membership = |channel: &str, leaves| Action::Membership {
            gate: GATE,
            login: Login(1),
            channel: channel.to_owned(),
            leaves,
        };
        let long = "x".repeat(128);
        assert_eq!(
            memberships,
            [membership("räume/1", false), membership(&long, true)]
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn every_send_may_be_for_the_latest_only() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def call(session, message):
                print(ffext.send_msg_session(session, 1, 'a', latest=True),
                      ffext.multi_send_msg_session([session], 2, 'b', latest=True),
                      ffext.broadcast_msg_session(3, 'c', latest=True),
                      ffext.broadcast_msg_gate('gate@0', 4, 'd', latest=True),
                      ffext.send_channel('room', 5, 'e', latest=True),
                      ffext.send_channel('room', 6, b'f'),
                      ffext.broadcast_msg_gate('gate@1', 7, b'g', False),
                      ffext.broadcast_msg_gate('gate@2', 7, b'g'))
            "#,
        )
        .await;
        stage.joins(GATE, "gate@0", Role::Gate);
        stage.joins(OTHER_GATE, "gate@1", Role::Gate);
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        let messages = stage.messages(7).await;
        assert_eq!(
            messages,
            [
                "1/1!: \"a\"".to_owned(),
                "1/2!: \"b\"".to_owned(),
                "*/3!: \"c\"".to_owned(),
                format!("@{GATE}/4!: \"d\""),
                "#room/5!: \"e\"".to_owned(),
                "#room/6: f".to_owned(),
                format!("@{OTHER_GATE}/7: g"),
            ]
        );
        logged("True 1 True True True True True False").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn nonsense_is_an_error_that_says_what_to_do() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def call(session, message):
                for call in [
                    lambda: ffext.join_channel(session, 5),
                    lambda: ffext.join_channel(session, ''),
                    lambda: ffext.leave_channel(session, 'ä' * 65),
                    lambda: ffext.leave_channel(5, 'room'),
                    lambda: ffext.send_channel('room', 0, 'x'),
                    lambda: ffext.send_channel(None, 1, 'x'),
                    lambda: ffext.broadcast_msg_gate(0, 1, 'x'),
                    lambda: ffext.broadcast_msg_gate('gate', 1, 'x'),
                    lambda: ffext.broadcast_msg_gate('gate@9', 1, object()),
                    lambda: ffext.send_msg_session(session, 1, 'x', 'latest'),
                ]:
                    try:
                        print('returned', call())
                    except Exception as error:
                        print(type(error).__name__, error)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for text in [
            "TypeError a channel's name is a str, not 5; str() makes one of a number",
            "ValueError a channel's name has 1 to 128 bytes, and this one 0",
            "ValueError a channel's name has 1 to 128 bytes, and this one 130",
            "TypeError a session id is a str, not 5",
            "ValueError a cmd is a number from 1 to",
            "TypeError a channel's name is a str, not None",
            "TypeError a gate's name is a str such as 'gate@0', not 0",
            "ValueError a gate's name is such as 'gate@0', not 'gate'",
            "cannot be sent as JSON",
            "TypeError latest is True or False, not 'latest'",
        ] {
            logged(text).await;
        }
        assert!(!log().contains("returned"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_message_for_a_channel_crosses_to_each_gate_once() {
    alone(|| async {
        let group = Group::start(
            r#"
import ffext
@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key]
@ffext.session_call(1)
def join(session, channel):
    ffext.join_channel(session, channel)
    ffext.send_channel(channel, 2, session, latest=True)
    ffext.broadcast_msg_gate('gate@1', 3, session)
"#,
        )
        .await;
        let gate = group.gate_in_state("gate@0", NodeState::Ready).await;
        gate.report(&[], true);
        let other = group.gate("gate@1").await;
        let login = gate.enter("ann").await;
        gate.frame(login, 1, r#""room""#);
        other.delivered(None, "3: \"ann\"").await;
        gate.hears_in_order(&["gate.channel", "gate.deliver"]).await;
        let delivered = gate.delivered_message(0);
        assert_eq!(
            (delivered.channel.as_str(), delivered.latest, delivered.cmd),
            ("room", true, 2)
        );
        assert!(delivered.logins.is_empty());
        assert_eq!(other.delivered_message(0).channel, "room");
        assert_eq!((gate.deliveries().len(), other.deliveries().len()), (1, 2));
        group.stop().await;
    });
}
