//! What a session sees, and in which order.

use protocol::{Login, v1::CloseReason};
use scene_host::{Action, Enter, Event};

use crate::stage::{GATE, OTHER_GATE, Stage, alone, left, limits, logged, messages};

/// Says everything that happens, with a handler that waits when it is told to.
const SCRIPT: &str = r#"
    import asyncio, ffext
    gate = asyncio.Event()

    def say(*words):
        ffext.broadcast_msg_session(9, list(words))

    @ffext.session_enter_callback
    def enter(session, from_scene, extra_data):
        say('enter', session, from_scene, extra_data.decode())

    @ffext.session_offline_callback
    def offline(session, online_time):
        say('offline', session, online_time)

    @ffext.session_call(1)
    async def slow(session, message):
        say('begin', session, message)
        await gate.wait()
        say('end', session, message)

    @ffext.session_call(2)
    def fast(session, message):
        say('fast', session, message)

    @ffext.session_call(3)
    def open_gate(session, message):
        gate.set()

    @ffext.session_call(4, concurrent=True)
    async def beside(session, message):
        say('begin beside', session)
        await gate.wait()
        say('end beside', session)

    @ffext.session_call(5)
    def close(session, message):
        say('closed', ffext.close_session(session), ffext.close_session('nobody'))
"#;

fn said(actions: &[Action]) -> Vec<String> {
    messages(actions)
        .into_iter()
        .filter_map(|message| message.strip_prefix("*/9: ").map(str::to_owned))
        .collect()
}

#[test]
fn frames_of_one_session_are_handled_one_at_a_time_also_when_a_handler_waits() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.frame(1, 1, "1");
        stage.frame(1, 2, "2");
        stage.frame(1, 1, "3");
        stage.frame(1, 2, "4");
        // Another session is not held up.
        stage.frame(2, 2, "5");
        stage.finished(1).await;
        stage.frame(2, 3, "null");
        stage.finished(6).await;
        let said = said(&stage.take_actions());
        let place = |text: &str| said.iter().position(|said| said == text);
        assert!(
            place(r#"["fast","b",5]"#) < place(r#"["end","a",1]"#),
            "{said:?}"
        );
        let of_a: Vec<&String> = said.iter().filter(|said| said.contains("\"a\"")).collect();
        assert_eq!(
            of_a,
            [
                r#"["enter","a","",""]"#,
                r#"["begin","a",1]"#,
                r#"["end","a",1]"#,
                r#"["fast","a",2]"#,
                r#"["begin","a",3]"#,
                r#"["end","a",3]"#,
                r#"["fast","a",4]"#,
            ]
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_concurrent_handler_does_not_hold_up_later_frames() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.frame(1, 4, "null");
        stage.frame(1, 4, "null");
        stage.frame(1, 2, "2");
        // The frame that waits is not finished.
        stage.finished(1).await;
        stage.frame(1, 3, "null");
        stage.finished(4).await;
        assert_eq!(
            said(&stage.take_actions())[1..],
            [
                r#"["begin beside","a"]"#,
                r#"["begin beside","a"]"#,
                r#"["fast","a",2]"#,
                r#"["end beside","a"]"#,
                r#"["end beside","a"]"#,
            ]
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn offline_comes_after_everything_that_was_sent_before() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.frame(1, 1, "1");
        stage.frame(1, 2, "2");
        stage.offline(1);
        stage.frame(1, 2, "3");
        stage.frame(2, 3, "null");
        stage.finished(4).await;
        let said = stage
            .until(|actions| {
                let said = said(actions);
                (said.len() == 6).then_some(said)
            })
            .await;
        assert_eq!(
            said[2..],
            [
                r#"["begin","a",1]"#,
                r#"["end","a",1]"#,
                r#"["fast","a",2]"#,
                r#"["offline","a",1700000001]"#,
            ],
            "and the frame after the offline is nobody's"
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_newer_login_replaces_the_older_one_in_order() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.enter_from(OTHER_GATE, "a", 2);
        // What the older connection still had under way.
        stage.frame(1, 2, "1");
        stage.offline(1);
        stage.push(Event::Frame {
            gate: OTHER_GATE,
            login: Login(2),
            cmd: 2,
            body: "2".into(),
        });
        stage.finished(2).await;
        let actions = stage.take_actions();
        assert_eq!(
            said(&actions),
            [
                r#"["enter","a","",""]"#,
                r#"["offline","a",1700000001]"#,
                r#"["enter","a","",""]"#,
                r#"["fast","a",2]"#,
            ]
        );
        let close = Action::Close {
            gate: GATE,
            login: Login(1),
            reason: CloseReason::Replaced,
        };
        let place = actions.iter().position(|action| *action == close);
        let second_enter = actions.iter().rposition(|action| {
            messages(std::slice::from_ref(action))
                .join("")
                .contains("enter")
        });
        assert!(place.is_some() && place < second_enter, "{actions:#?}");
        assert!(stage.stop().await);
    });
}

#[test]
fn an_older_login_that_comes_late_is_closed() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter_from(OTHER_GATE, "a", 2);
        stage.enter("a", 1);
        stage
            .until(|actions| {
                actions
                    .contains(&Action::Close {
                        gate: GATE,
                        login: Login(1),
                        reason: CloseReason::Replaced,
                    })
                    .then_some(())
            })
            .await;
        assert_eq!(said(&stage.take_actions()).len(), 1);
        assert!(stage.stop().await);
    });
}

#[test]
fn sessions_of_a_gate_that_is_gone_are_offline() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.enter_from(OTHER_GATE, "c", 3);
        stage.push(Event::GateGone(GATE));
        stage.messages(5).await;
        assert_eq!(
            said(&stage.take_actions())[3..],
            [
                r#"["offline","a",1700000001]"#,
                r#"["offline","b",1700000002]"#
            ]
        );
        stage.push(Event::GroupLost);
        stage.messages(1).await;
        assert_eq!(
            said(&stage.take_actions()),
            [r#"["offline","c",1700000003]"#]
        );
        assert_eq!(stage.host.sessions(), 0);
        assert!(stage.stop().await);
    });
}

#[test]
fn others_are_served_beside_the_offlines_of_a_gate_that_is_gone() {
    alone(|| async {
        let script = SCRIPT.replace(
            "    def offline(session, online_time):\n",
            "    def offline(session, online_time):\n        import time; time.sleep(0.001)\n",
        );
        let mut stage = Stage::start(&script).await;
        for login in 0..200 {
            stage.enter(&format!("s{login}"), login);
        }
        stage.enter_from(OTHER_GATE, "c", 1000);
        stage.messages(201).await;
        stage.take_actions();
        stage.push(Event::GateGone(GATE));
        stage.push(Event::Frame {
            gate: OTHER_GATE,
            login: Login(1000),
            cmd: 2,
            body: "5".into(),
        });
        stage.messages(201).await;
        let said = said(&stage.take_actions());
        let place = said.iter().position(|said| said == r#"["fast","c",5]"#);
        assert!(place.is_some_and(|place| place < 100), "{place:?}");
        assert_eq!(stage.host.sessions(), 1);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_login_that_was_lost_with_the_group_enters_again_behind_its_slow_handlers() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "1");
        stage.messages(2).await;
        stage.push(Event::GroupLost);
        // The scene is in its group again, as another node.
        stage.push(Event::Enter(Box::new(Enter {
            gate: GATE,
            session: "a".parse().unwrap(),
            login: Login(1),
            holding: 2,
            online_time: 1_700_000_001,
            from_scene: "scene@0".to_owned(),
            extra_data: Default::default(),
        })));
        stage.frame(1, 2, "2");
        stage.enter("b", 2);
        stage.frame(2, 3, "null");
        stage.messages(7).await;
        // The first frame was of the holding that its gate has given up.
        stage.finished(2).await;
        let said = said(&stage.take_actions());
        let of_a: Vec<&String> = said.iter().filter(|said| said.contains("\"a\"")).collect();
        assert_eq!(
            of_a,
            [
                r#"["enter","a","",""]"#,
                r#"["begin","a",1]"#,
                r#"["end","a",1]"#,
                r#"["offline","a",1700000001]"#,
                r#"["enter","a","scene@0",""]"#,
                r#"["fast","a",2]"#,
            ]
        );
        stage.frame(1, 5, "null");
        stage.messages(1).await;
        stage.finished(1).await;
        assert_eq!(left(&stage.take_actions()), [""; 0]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_script_closes_a_session_and_knows_who_is_there() {
    alone(|| async {
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.frame(1, 5, "null");
        stage.finished(1).await;
        let actions = stage.take_actions();
        assert_eq!(said(&actions)[1..], [r#"["closed",true,false]"#]);
        assert!(actions.contains(&Action::Close {
            gate: GATE,
            login: Login(1),
            reason: CloseReason::ClosedByScene,
        }));
        assert!(stage.stop().await);
    });
}

#[test]
fn a_message_to_many_crosses_to_each_gate_once() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def send(session, message):
                sent = ffext.multi_send_msg_session(message, 7, b'raw')
                ffext.send_msg_session(session, 8, sent)
            @ffext.session_call(2)
            def wrong(session, message):
                ffext.multi_send_msg_session('abc', 7, 1)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.enter_from(OTHER_GATE, "c", 3);
        stage.frame(1, 1, r#"["c", "b", "nobody", "a", "b"]"#);
        let seen = stage.messages(3).await;
        assert_eq!(seen, ["1+2/7: raw", "3/7: raw", "1/8: 3"]);
        stage.frame(1, 2, "null");
        stage.finished(2).await;
        logged("takes several session ids").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn messages_past_what_may_wait_for_the_network_are_refused_and_the_script_is_told() {
    alone(|| async {
        let mut limits = limits();
        limits.link_outbox_bytes = 100_000;
        let mut stage = Stage::start_with(
            r#"
            import ffext
            @ffext.session_call(1)
            def flood(session, message):
                sent = [ffext.broadcast_msg_session(7, bytes(1000)) for _ in range(1000)]
                print('sent', sent.count(True), 'refused', sent.count(False))
            @ffext.session_call(2)
            def one(session, message):
                print('again', ffext.broadcast_msg_session(7, b''))
            "#,
            limits,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        logged("sent 93 refused 907").await;
        logged("messages dropped").await;
        stage.finished(1).await;
        assert_eq!(messages(&stage.take_actions()).len(), 93);
        stage.frame(1, 2, "null");
        logged("again True").await;
        assert!(stage.stop().await);
    });
}
