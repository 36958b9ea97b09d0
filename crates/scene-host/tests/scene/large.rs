//! Messages that hardly fit, and those that do not.

use prost::Message as _;
use protocol::{envelope::MAX_BODY_BYTES, v1};
use scene_host::Action;

use crate::stage::{Stage, alone, logged};

#[test]
fn a_message_that_no_gate_would_get_is_an_error_that_says_both_sizes() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            def attempt(function, *arguments):
                try:
                    print(function.__name__, function(*arguments))
                except ValueError as error:
                    print(function.__name__, 'ValueError', error)
            @ffext.session_call(1)
            def send(session, message):
                attempt(ffext.send_msg_session, session, 1, bytes(1048576))
                attempt(ffext.multi_send_msg_session, [session], 1, 'x' * 2000000)
                attempt(ffext.broadcast_msg_session, 1, 'x' * 3000000)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for (function, length) in [
            ("send_msg_session", 1_048_576),
            ("multi_send_msg_session", 2_000_002),
            ("broadcast_msg_session", 3_000_002),
        ] {
            logged(&format!("{function} ValueError a message has at most ")).await;
            logged(&format!(" bytes, and this one {length}; send it in parts")).await;
        }
        assert!(crate::stage::messages(&stage.take_actions()).is_empty());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_long_message_to_very_many_is_cut_into_what_gates_get() {
    alone(|| async {
        const SESSIONS: u64 = 50_000;
        const LENGTH: usize = 900_000;
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def send(session, length):
                everybody = [f'player {n}' for n in range(1, 50001)]
                print('sent to', ffext.multi_send_msg_session(everybody, 1, bytes(length)))
            "#,
        )
        .await;
        for login in 1..=SESSIONS {
            stage.enter(&format!("player {login}"), login);
        }
        for (length, copies) in [(LENGTH, 3), (100, 1)] {
            stage.frame(1, 1, length.to_string());
            stage.finished(1).await;
            logged("sent to 50000").await;
            let mut reached = Vec::new();
            let mut crossed = 0;
            for action in stage.take_actions() {
                let Action::Deliver { logins, parcel, .. } = action else {
                    continue;
                };
                reached.extend(logins.iter().map(|login| login.0));
                let deliver = v1::Deliver {
                    logins: logins.into_iter().map(|login| login.0).collect(),
                    cmd: parcel.cmd.into(),
                    body: parcel.body,
                    ..Default::default()
                };
                assert!(deliver.encoded_len() <= MAX_BODY_BYTES);
                crossed += 1;
            }
            assert!(reached.into_iter().eq(1..=SESSIONS), "somebody is left out");
            assert_eq!(crossed, copies);
        }
        assert!(stage.stop().await);
    });
}
