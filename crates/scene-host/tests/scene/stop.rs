//! How a scene ends.

use std::time::{Duration, Instant};

use protocol::Login;
use scene_host::{Event, HostConfig, SceneError, ScriptHost, Stay};

use crate::stage::{GATE, PATIENCE, Stage, alone, last_actions, limits, log, logged};

#[test]
fn sessions_are_told_and_tasks_are_ended() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio, atexit
            @ffext.session_offline_callback
            async def offline(session, online_time):
                await asyncio.sleep(0.01)
                print('offline of', session)
                ffext.broadcast_msg_session(1, session)
            async def forever():
                try:
                    await asyncio.sleep(1000)
                finally:
                    print('task ended')
            async def numbers():
                try:
                    while True:
                        yield 1
                finally:
                    print('generator ended')
            async def count():
                async for number in numbers():
                    await asyncio.sleep(1000)
            ffext.once_timer(0, forever)
            ffext.once_timer(0, count)
            ffext.once_timer(1000000, print)
            atexit.register(print, 'python ended')
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        let outbox = stage.host.outbox().clone();
        let started = Instant::now();
        assert!(stage.stop().await);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        // What it has sent last is still there to be sent.
        assert_eq!(last_actions(&outbox).await.len(), 2);
        for text in [
            "offline of a",
            "offline of b",
            "task ended",
            "generator ended",
            "python ended",
        ] {
            logged(text).await;
        }
        assert!(!log().contains("script failed"), "{}", log());
    });
}

#[test]
fn behind_the_stop_nobody_is_verified_and_whoever_enters_leaves_again() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, os, time
            GO_ON = os.path.join(os.path.dirname(__file__), 'go-on')
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                return [session_key]
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                print('enter of', session)
            @ffext.session_offline_callback
            def offline(session, online_time):
                print('offline of', session)
            @ffext.session_leave_callback
            def leave(session, to_scene, extra_data):
                print('leave to', to_scene, 'of', session)
            @ffext.session_call(1)
            def block(session, message):
                print('blocking')
                while not os.path.exists(GO_ON):
                    time.sleep(0.01)
            @ffext.session_call(2)
            def heard(session, message):
                print('a frame of', session)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        logged("blocking").await;
        // All of this waits, in this order, until the handler returns.
        stage.enter("b", 2);
        let started = Instant::now();
        stage.push(Event::Stop {
            grace: PATIENCE,
            to_scene: None,
        });
        stage.enter("c", 3);
        stage.frame(3, 2, "null");
        // To its gate that is a scene which is not there.
        let verdict = stage.begin_verify("d");
        std::fs::write(stage.folder().join("go-on"), "").unwrap();
        assert!(verdict.await.is_none());
        stage.finished(2).await;
        // Whoever was on the way in is here, and everybody is to go.
        let to = || "scene@0".to_owned();
        stage.changes(&[(1, to()), (2, to()), (3, to())]).await;
        for login in [1, 2, 3] {
            stage.leave(login, "scene@0", "");
        }
        assert!(stage.stop().await);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        let log = log();
        for name in ["a", "b", "c"] {
            for text in ["enter of", "leave to scene@0 of"] {
                let text = format!("{text} {name}");
                assert_eq!(log.matches(&text).count(), 1, "`{text}` in:\n{log}");
            }
        }
        assert!(!log.contains("offline of"), "{log}");
    });
}

/// Says who leaves and who is offline.
const HAND_OVER: &str = r#"
    import ffext
    @ffext.session_leave_callback
    async def leave(session, to_scene, extra_data):
        print('leave of', session, 'to', to_scene)
        return 'kept'
    @ffext.session_offline_callback
    def offline(session, online_time):
        print('offline of', session)
"#;

#[test]
fn at_the_end_sessions_are_handed_over_and_the_scene_waits_until_all_have_left() {
    alone(|| async {
        let mut stage = Stage::start(HAND_OVER).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.push(Event::Stop {
            grace: PATIENCE,
            to_scene: "scene@1".parse().ok(),
        });
        let to = |name: &str| name.to_owned();
        let changes = [(1, to("scene@1")), (2, to("scene@1"))];
        stage.changes(&changes).await;
        stage.leave(1, "scene@1", "");
        assert_eq!(stage.left(1).await, ["1 1 left: kept"]);
        // The other scene has gone meanwhile: this one is held for our return.
        stage.push(Event::Stay(Box::new(Stay {
            gate: GATE,
            login: Login(2),
            to_scene: to("scene@1"),
            reason: "it is gone".to_owned(),
        })));
        stage
            .changes(&[changes[0].clone(), changes[1].clone(), (2, to("scene@0"))])
            .await;
        stage.leave(2, "scene@0", "");
        assert_eq!(stage.left(2).await[1], "2 1 left: kept");
        let outbox = stage.host.outbox().clone();
        assert!(stage.stop().await);
        assert_eq!(last_actions(&outbox).await, []);
        assert!(!log().contains("offline of"), "{}", log());
    });
}

#[test]
fn who_has_not_left_in_time_is_offline_once() {
    alone(|| async {
        let mut stage = Stage::start(HAND_OVER).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.leave(1, "scene@1", "");
        stage.left(1).await;
        assert!(stage.host.stop(Duration::from_secs(1)).await);
        let log = log();
        assert_eq!(log.matches("offline of b").count(), 1, "{log}");
        assert_eq!(log.matches("offline of").count(), 1, "{log}");
        assert!(log.contains("sessions have not left in time"), "{log}");
    });
}

#[test]
fn what_does_not_end_is_left_behind_in_time() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext, asyncio, threading, time
            async def stubborn():
                while True:
                    try:
                        await asyncio.sleep(1000)
                    except asyncio.CancelledError:
                        print('not now')
            @ffext.session_offline_callback
            async def offline(session, online_time):
                await asyncio.sleep(1000)
            ffext.once_timer(0, stubborn)
            threading.Thread(target=time.sleep, args=(1000,), name='sleeper').start()
            "#,
        )
        .await;
        stage.enter("a", 1);
        let started = Instant::now();
        stage.host.stop(Duration::from_secs(1)).await;
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "{:?}",
            started.elapsed()
        );
        for text in [
            "handlers are still under way",
            "not now",
            "does not end",
            "thread sleeper does not end",
            "python is not finalized",
        ] {
            logged(text).await;
        }
    });
}

#[test]
fn a_script_that_blocks_for_ever_does_not_hold_up_the_end() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def spin(session, message):
                print('spinning')
                while True:
                    pass
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        logged("spinning").await;
        assert!(!stage.host.stop(Duration::from_millis(300)).await);
        logged("script does not end, and is left behind").await;
        assert!(log().contains("main.spin"), "{}", log());
    });
}

#[test]
fn a_script_that_stops_the_loop_or_exits_in_a_task_stops_nothing() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio, sys
            @ffext.session_call(1)
            def stop(session, message):
                asyncio.get_running_loop().stop()
            @ffext.session_call(2)
            def exit_in_task(session, message):
                async def leave():
                    sys.exit('left')
                asyncio.get_running_loop().create_task(leave())
            @ffext.session_call(3)
            def exit_in_callback(session, message):
                asyncio.get_running_loop().call_soon(sys.exit, 'gone')
            "#,
        )
        .await;
        stage.enter("a", 1);
        for cmd in [1, 2, 3, 1] {
            stage.frame(1, cmd, "null");
        }
        stage.finished(4).await;
        logged("SystemExit('left')").await;
        logged("SystemExit('gone')").await;
        logged("the script has stopped the event loop").await;
        stage.frame(1, 1, "null");
        stage.finished(5).await;
        assert!(stage.stop().await);
    });
}

#[test]
fn a_second_scene_in_one_process_is_refused() {
    alone(|| async {
        let stage = Stage::start("").await;
        let config = HostConfig {
            name: "scene@0".parse().unwrap(),
            group: None,
            script: "/nowhere/main.py".into(),
            python_path: Vec::new(),
            venv: None,
            watch: false,
            state_dir: None,
            limits: limits(),
        };
        let error = ScriptHost::start(config.clone()).await.unwrap_err();
        assert!(matches!(error, SceneError::AlreadyRunning), "{error}");
        assert!(stage.stop().await);
        // Python does not start twice, either.
        let error = tokio::time::timeout(PATIENCE, ScriptHost::start(config)).await;
        assert!(matches!(
            error.unwrap().unwrap_err(),
            SceneError::AlreadyRunning
        ));
    });
}
