//! Sessions that go to other scenes.

use protocol::{Login, NodeId, v1::Role};
use scene_host::{Action, Event, Stay};

use crate::stage::{GATE, OTHER_GATE, Stage, alone, changes, left, limits, log, logged, messages};

const OTHER_SCENE: NodeId = NodeId::new(1, 200);

/// Says what happens, and changes scene when it is told to.
const SCRIPT: &str = r#"
    import asyncio, ffext
    gate = asyncio.Event()

    def say(*words):
        ffext.broadcast_msg_session(9, list(words))

    @ffext.session_enter_callback
    def enter(session, from_scene, extra_data):
        say('enter', session)

    @ffext.session_leave_callback
    async def leave(session, to_scene, extra_data):
        say('leave', session, to_scene, extra_data.decode(), ffext.send_msg_session(session, 7, 'bye'))
        if extra_data == b'wait':
            await gate.wait()
        if extra_data == b'fail':
            raise RuntimeError('no way')
        return {b'bytes': b'more bytes', b'text': 'a text', b'nonsense': 5}.get(extra_data)

    @ffext.session_offline_callback
    def offline(session, online_time):
        say('offline', session, ffext.change_session_scene(session, 'scene@1'))

    @ffext.session_call(1)
    def change(session, arguments):
        say('change', ffext.change_session_scene(*arguments))

    @ffext.session_call(2, concurrent=True)
    async def beside(session, message):
        await gate.wait()
        say('beside ends')

    @ffext.session_call(3)
    def open_gate(session, message):
        gate.set()

    @ffext.session_call(4)
    def fast(session, message):
        say('fast', session, message)
"#;

async fn start() -> Stage {
    start_with(SCRIPT).await
}

async fn start_with(script: &str) -> Stage {
    let mut limits = limits();
    limits.handler_timeout = std::time::Duration::from_secs(5);
    let stage = Stage::start_with(script, limits).await;
    stage.joins(OTHER_SCENE, "scene@1", Role::Scene);
    stage.enter("a", 1);
    stage.enter("b", 2);
    stage
}

/// What was said, without the enters.
fn said(actions: &[Action]) -> Vec<String> {
    let messages = messages(actions).into_iter();
    messages
        .filter_map(|message| message.strip_prefix("*/9: ").map(str::to_owned))
        .filter(|message| !message.contains("\"enter\""))
        .collect()
}

#[test]
fn a_session_leaves_behind_its_frames_and_its_gate_is_told_last() {
    alone(|| async {
        let mut stage = start().await;
        stage.frame(1, 1, r#"["a", "scene@1", "text"]"#);
        stage.finished(1).await;
        let changes: Vec<Action> = stage
            .take_actions()
            .into_iter()
            .filter(|action| matches!(action, Action::Change { .. }))
            .collect();
        let expected = Action::Change {
            gate: GATE,
            login: Login(1),
            holding: 1,
            to_scene: "scene@1".to_owned(),
            extra_data: "text".into(),
        };
        assert_eq!(changes, [expected]);

        stage.frame(1, 4, "1");
        stage.leave(1, "scene@1", "text");
        // What comes behind the marker is nobody's.
        stage.frame(1, 4, "2");
        assert_eq!(stage.left(1).await, ["1 1 left: a text"]);
        let actions = stage.take_actions();
        assert_eq!(
            said(&actions),
            [
                r#"["fast","a",1]"#,
                r#"["leave","a","scene@1","text",true]"#
            ]
        );
        let place = |wanted: fn(&Action) -> bool| actions.iter().rposition(wanted);
        let finished = place(|action| matches!(action, Action::Finished(_)));
        let bye = place(|action| matches!(action, Action::Send { .. }));
        let left = place(|action| matches!(action, Action::Left(_)));
        assert!(finished < left && bye < left, "{actions:#?}");
        // Nobody is told that it is offline, and the rest is here still.
        assert_eq!(stage.host.sessions(), 1);
        stage.frame(2, 1, r#"["a", "scene@1"]"#);
        stage.finished(1).await;
        assert_eq!(said(&stage.take_actions()), [r#"["change",false]"#]);
        assert!(stage.stop().await);
        assert!(!log().contains("script failed"), "{}", log());
    });
}

#[test]
fn of_one_batch_a_gate_hears_first_what_is_finished_and_then_who_has_left() {
    alone(|| async {
        let mut stage = start_with(
            r#"
            import ffext, os, time
            GO_ON = os.path.join(os.path.dirname(__file__), 'go-on')
            @ffext.session_call(1)
            def block(session, message):
                print('blocking')
                while not os.path.exists(GO_ON):
                    time.sleep(0.01)
            @ffext.session_call(2)
            def answer(session, message):
                ffext.send_msg_session(session, 2, 'answer')
            @ffext.session_leave_callback
            def leave(session, to_scene, extra_data):
                ffext.send_msg_session(session, 3, 'bye')
            "#,
        )
        .await;
        stage.frame(2, 1, "null");
        logged("blocking").await;
        stage.frame(1, 2, "null");
        stage.leave(1, "scene@1", "");
        std::fs::write(stage.folder().join("go-on"), "").unwrap();
        stage.left(1).await;
        let actions = stage.take_actions();
        let of_ann: Vec<&str> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Send { .. } => Some("send"),
                Action::Finished(finished) if finished.logins.contains(&Login(1)) => {
                    Some("finished")
                }
                Action::Left(_) => Some("left"),
                _ => None,
            })
            .collect();
        assert_eq!(of_ann, ["send", "send", "finished", "left"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn what_the_leave_callback_returns_goes_along() {
    alone(|| async {
        let mut stage = start().await;
        for (login, name) in (3..).zip(["c", "d", "e", "f"]) {
            stage.enter(name, login);
        }
        for (login, extra_data) in (1..).zip(["bytes", "text", "nonsense", "fail", "none"]) {
            stage.leave(login, "scene@1", extra_data);
        }
        let mut left = stage.left(5).await;
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "1 1 left: more bytes",
                "2 1 left: a text",
                "3 1 left: nonsense",
                "4 1 left: fail",
                "5 1 left: none"
            ]
        );
        let log = log();
        for text in ["extra_data is bytes or str, not int", "no way"] {
            assert!(log.contains(text), "{text} in {log}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn a_change_that_cannot_be_is_refused() {
    alone(|| async {
        let mut stage = start().await;
        for arguments in [
            r#"["nobody", "scene@1"]"#,
            r#"["a", "scene@0"]"#,
            r#"["a", "scene@7"]"#,
            r#"["a", "scene@1"]"#,
            // It has been asked for.
            r#"["a", "scene@1"]"#,
        ] {
            stage.frame(2, 1, arguments);
        }
        stage.finished(5).await;
        let stay = Stay {
            gate: GATE,
            login: Login(1),
            to_scene: "scene@1".to_owned(),
            reason: "there is no such scene".to_owned(),
        };
        stage.push(Event::Stay(Box::new(stay)));
        stage.frame(2, 1, r#"["a", "scene@1"]"#);
        stage.finished(6).await;
        // It is leaving.
        stage.leave(1, "scene@1", "wait");
        stage.frame(2, 1, r#"["a", "scene@1"]"#);
        stage.finished(7).await;
        let said = said(&stage.take_actions());
        let results: Vec<&str> = said
            .iter()
            .filter_map(|said| said.strip_prefix(r#"["change","#))
            .collect();
        assert_eq!(
            results,
            [
                "false]", "false]", "false]", "true]", "false]", "true]", "false]"
            ]
        );
        logged("session stays").await;
        logged("there is no such scene").await;
        stage.frame(2, 3, "null");
        assert_eq!(stage.left(1).await, ["1 1 left: wait"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_concurrent_handler_delays_the_leave() {
    alone(|| async {
        let mut stage = start().await;
        stage.frame(1, 2, "null");
        stage.frame(1, 4, "1");
        stage.leave(1, "scene@1", "");
        stage.finished(1).await;
        stage.frame(2, 3, "null");
        assert_eq!(stage.left(1).await, ["1 1 left: "]);
        assert_eq!(
            said(&stage.take_actions()),
            [
                r#"["fast","a",1]"#,
                r#"["beside ends"]"#,
                r#"["leave","a","scene@1","",true]"#
            ]
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_client_that_goes_before_its_leave_has_begun_is_offline() {
    alone(|| async {
        let mut stage = start().await;
        stage.frame(1, 2, "null");
        stage.leave(1, "scene@1", "");
        stage.offline(1);
        stage.messages(3).await;
        assert_eq!(said(&stage.take_actions()), [r#"["offline","a",false]"#]);
        stage.frame(2, 3, "null");
        assert_eq!(stage.left(1).await, ["1 1 offline"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn of_a_leave_that_has_begun_nothing_more_is_raised() {
    alone(|| async {
        let mut stage = start().await;
        stage.leave(1, "scene@1", "wait");
        stage.offline(1);
        stage.leave(2, "scene@1", "wait");
        stage.push(Event::GateGone(GATE));
        stage.enter_from(OTHER_GATE, "c", 3);
        stage.push(Event::Frame {
            gate: OTHER_GATE,
            login: Login(3),
            cmd: 3,
            body: "null".into(),
        });
        stage.finished(1).await;
        stage.push(Event::GroupLost);
        let said = stage
            .until(|actions| {
                let said = said(actions);
                said.iter()
                    .any(|said| said.contains("offline"))
                    .then_some(said)
            })
            .await;
        // Whether they can still send messages depends on when the gate went.
        let said: Vec<String> = said
            .iter()
            .map(|said| said.replace(",true]", "]").replace(",false]", "]"))
            .collect();
        assert_eq!(
            said,
            [
                r#"["leave","a","scene@1","wait"]"#,
                r#"["leave","b","scene@1","wait"]"#,
                r#"["offline","c"]"#
            ]
        );
        // The gate is gone, and is told nothing.
        assert_eq!(left(&stage.take_actions()), [""; 0]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_leave_callback_has_a_time_limit() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_timeout = std::time::Duration::from_millis(100);
        let mut stage = Stage::start_with(SCRIPT, limits).await;
        stage.enter("a", 1);
        stage.leave(1, "scene@1", "wait");
        assert_eq!(stage.left(1).await, ["1 1 left: wait"]);
        logged("handler cancelled after its time limit").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn a_leave_that_waits_is_run_by_what_is_loaded_meanwhile() {
    alone(|| async {
        let mut stage = start().await;
        stage.frame(1, 2, "null");
        stage.leave(1, "scene@1", "");
        stage.write(
            r#"
            import asyncio, ffext
            gate = asyncio.Event()
            @ffext.session_leave_callback
            def leave(session, to_scene, extra_data):
                return 'new'
            @ffext.session_call(2, concurrent=True)
            async def beside(session, message):
                pass
            @ffext.session_call(3)
            def cancel(session, message):
                for task in asyncio.all_tasks():
                    task.cancel()
            "#,
        );
        assert!(stage.reload().await.starts_with("ok"), "{}", log());
        // The handler that it waits for is of the load before.
        stage.frame(2, 3, "null");
        assert_eq!(stage.left(1).await, ["1 1 left: new"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_scene_is_changed_from_wherever_a_script_runs() {
    alone(|| async {
        let mut stage = start_with(
            r#"
            import ffext
            def change(place, session):
                print(place, session, ffext.change_session_scene(session, 'scene@1'))
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                change('verify', session_key)
                return [session_key]
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                if session in ('a', 'c'):
                    change('enter', 'a')
            @ffext.session_leave_callback
            def leave(session, to_scene, extra_data):
                change('leave', session)
            @ffext.session_offline_callback
            def offline(session, online_time):
                change('offline', session)
            @ffext.session_call(1)
            def other(session, message):
                change('handler', message)
            @ffext.session_call(2)
            def later(session, message):
                ffext.once_timer(1, lambda: change('timer', message))
            "#,
        )
        .await;
        stage.verify("newcomer").await;
        logged("verify newcomer False").await;
        logged("enter a True").await;
        stage.frame(1, 1, "\"b\"");
        logged("handler b True").await;
        stage.enter("c", 3);
        logged("enter a False").await;
        stage.frame(2, 2, "\"c\"");
        logged("timer c True").await;
        let of = |login: u64| (login, "scene@1".to_owned());
        stage.changes(&[of(1), of(2), of(3)]).await;
        stage.leave(1, "scene@1", "");
        logged("leave a False").await;
        stage.offline(2);
        logged("offline b False").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn nonsense_is_an_error_that_says_what_to_do() {
    alone(|| async {
        let mut stage = start_with(
            r#"
            import ffext
            @ffext.session_call(1)
            def call(session, message):
                for arguments in [
                    (1, 'scene@1'), ('a', 1), ('a', 'nowhere'), ('a', 'scene@1', 5),
                    ('a', 'scene@1', bytes(1 << 20)), ('a', 'scene@1', '\ud800'), ('a',),
                ]:
                    try:
                        print('returned', ffext.change_session_scene(*arguments))
                    except Exception as error:
                        print(type(error).__name__, error)
            "#,
        )
        .await;
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for text in [
            "TypeError a session id is a str, not 1",
            "TypeError a scene's name is a str such as 'scene@0', not 1",
            "ValueError a scene's name is such as 'scene@0', not 'nowhere'",
            "TypeError extra_data is bytes or str, not int; json.dumps()",
            "ValueError extra_data has at most",
            "ValueError extra_data is no Unicode",
            "missing 1 required positional argument: 'to_scene'",
        ] {
            logged(text).await;
        }
        assert!(!log().contains("returned"), "{}", log());
        assert!(changes(&stage.take_actions()).is_empty());
        assert!(stage.stop().await);
    });
}
