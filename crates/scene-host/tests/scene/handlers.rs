//! Functions of the script that do what they should not, and bodies that are
//! not what they should be.

use std::time::Duration;

use crate::stage::{Stage, alone, limits, log, logged, messages};

#[test]
fn a_handler_that_raises_harms_nothing_else() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio, sys
            class Odd(Exception):
                def __str__(self):
                    raise ValueError('no text either')
            def dive(): return dive()
            failures = {
                'zero': lambda: 1 / 0,
                'exit': lambda: sys.exit(3),
                'interrupt': lambda: (_ for _ in ()).throw(KeyboardInterrupt),
                'cancel': lambda: (_ for _ in ()).throw(asyncio.CancelledError),
                'deep': dive,
                'odd': lambda: (_ for _ in ()).throw(Odd()),
            }
            @ffext.session_call(1)
            def fail(session, message):
                failures[message]()
            @ffext.session_call(2)
            async def fail_at_once(session, message):
                failures[message]()
            @ffext.session_call(3)
            async def fail_later(session, message):
                await asyncio.sleep(0)
                failures[message]()
            @ffext.session_call(4)
            def answer(session, message):
                ffext.send_msg_session(session, 4, 'still here')
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                raise RuntimeError('enter fails')
            @ffext.session_offline_callback
            async def offline(session, online_time):
                raise RuntimeError('offline fails')
            "#,
        )
        .await;
        stage.enter("a", 1);
        let mut frames = 0;
        for cmd in 1..=3 {
            for failure in ["zero", "exit", "interrupt", "cancel", "deep", "odd"] {
                stage.frame(1, cmd, format!("\"{failure}\""));
                frames += 1;
            }
        }
        stage.frame(1, 4, "null");
        stage.finished(frames + 1).await;
        assert_eq!(messages(&stage.take_actions()), ["1/4: \"still here\""]);
        stage.offline(1);
        logged("offline fails").await;
        let log = log();
        for text in [
            "enter fails",
            "ZeroDivisionError: division by zero",
            "SystemExit: 3",
            "KeyboardInterrupt",
            "CancelledError",
            "RecursionError",
            "Odd",
            "session_id=\"a\"",
            "handler=\"main.fail_later\"",
            "main.py\", line 8, in <lambda>",
        ] {
            assert!(log.contains(text), "`{text}` was not logged:\n{log}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn an_unknown_cmd_is_logged_once_a_session_and_harmless() {
    alone(|| async {
        let mut stage = Stage::start("import ffext").await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        for _ in 0..10 {
            stage.frame(1, 77, "x");
            stage.frame(2, 78, "x");
        }
        stage.finished(20).await;
        let log = log();
        assert_eq!(
            log.matches("no handler for the cmd of a frame").count(),
            2,
            "{log}"
        );
        assert!(
            log.contains("session_id=\"a\" cmd=77") && log.contains("session_id=\"b\" cmd=78"),
            "{log}"
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_body_that_is_not_json_never_reaches_a_json_handler() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def json(session, message):
                ffext.send_msg_session(session, 1, message)
            @ffext.session_call(2, type=bytes)
            def raw(session, body):
                ffext.send_msg_session(session, 2, body)
            @ffext.session_call(3, 'raw')
            def also_raw(session, body):
                ffext.send_msg_session(session, 3, {'type': type(body).__name__})
            "#,
        )
        .await;
        stage.enter("a", 1);
        for body in [&b""[..], b"hello", b"\xff\xfe", b"[1", b"{]"] {
            stage.frame(1, 1, body);
        }
        stage.frame(1, 2, &b"\xff\x00"[..]);
        stage.frame(1, 3, "");
        stage.frame(1, 1, r#"{"n": [1, 2.5, null, "é"]}"#);
        stage.finished(8).await;
        assert_eq!(
            messages(&stage.take_actions()),
            [
                "1/2: \u{fffd}\0",
                r#"1/3: {"type":"bytes"}"#,
                r#"1/1: {"n":[1,2.5,null,"é"]}"#
            ]
        );
        assert_eq!(
            log().matches("frame cannot be read").count(),
            1,
            "{}",
            log()
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn what_cannot_be_sent_is_an_error_for_the_script_that_says_where() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            def attempt(*arguments):
                try:
                    ffext.send_msg_session(*arguments)
                except Exception as error:
                    print(type(error).__name__, error)
            @ffext.session_call(1)
            def send(session, message):
                attempt(session, 1, {'a': [object()]})
                attempt(session, 1, (x for x in ()))
                attempt(session, 0, 'x')
                attempt(session, 65535, 'x')
                attempt(session, -1, 'x')
                attempt(session, '1', 'x')
                attempt(1, 1, 'x')
                print(ffext.send_msg_session('nobody', 1, 'x'))
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        let log = log();
        for text in [
            "TypeError cannot be sent as JSON: at ['a'][0]: a value of type object;",
            "TypeError cannot be sent as JSON: a value of type generator; make a list of it first",
            "ValueError a cmd is a number from 1 to 65533, not 0",
            "not 65535",
            "not -1",
            "not '1'",
            "TypeError a session id is a str, not 1",
            "False",
        ] {
            assert!(log.contains(text), "`{text}` was not logged:\n{log}");
        }
        assert!(messages(&stage.take_actions()).is_empty());
        assert!(stage.stop().await);
    });
}

#[test]
fn an_async_handler_over_its_time_is_cancelled_and_its_frame_is_finished() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_timeout = Duration::from_millis(100);
        let mut stage = Stage::start_with(
            r#"
            import ffext, asyncio
            @ffext.session_call(1)
            async def obeys(session, message):
                try:
                    await asyncio.sleep(60)
                finally:
                    print('obeys: cancelled')
            @ffext.session_call(2)
            async def ignores(session, message):
                for _ in range(3):
                    try:
                        await asyncio.sleep(0.2)
                    except asyncio.CancelledError:
                        print('ignores: cancelled')
                print('ignores: done')
            @ffext.session_call(3)
            def next(session, message):
                ffext.send_msg_session(session, 3, 'next')
            "#,
            limits,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.frame(1, 2, "null");
        stage.frame(1, 3, "null");
        stage.finished(3).await;
        assert_eq!(messages(&stage.take_actions()), ["1/3: \"next\""]);
        logged("obeys: cancelled").await;
        logged("ignores: cancelled").await;
        logged("ignores: done").await;
        let log = log();
        assert_eq!(
            log.matches("handler cancelled after its time limit")
                .count(),
            2
        );
        assert!(log.contains("handler=main.obeys session_id=\"a\""), "{log}");
        assert!(log.contains("main.py:"), "the place is not named: {log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn handlers_use_asyncio_as_any_program_does() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio
            @ffext.session_call(1)
            async def work(session, message):
                async with asyncio.timeout(5):
                    async with asyncio.TaskGroup() as group:
                        one = group.create_task(asyncio.sleep(0, 1))
                        two = group.create_task(asyncio.to_thread(lambda: 2))
                ffext.send_msg_session(session, 1, [one.result(), two.result()])
            @ffext.session_call(2)
            def future(session, message):
                return asyncio.get_running_loop().run_in_executor(None, print, 'in a thread')
            @ffext.session_call(3)
            async def elsewhere(session, message):
                await asyncio.to_thread(ffext.broadcast_msg_session, 1, 1)
            @ffext.session_call(4)
            async def process(session, message):
                process = await asyncio.create_subprocess_exec(
                    'echo', 'hello', stdout=asyncio.subprocess.PIPE)
                out, _ = await process.communicate()
                ffext.send_msg_session(session, 4, out.decode().strip())
            "#,
        )
        .await;
        stage.enter("a", 1);
        for cmd in 1..=4 {
            stage.frame(1, cmd, "null");
        }
        stage.finished(4).await;
        assert_eq!(
            messages(&stage.take_actions()),
            ["1/1: [1,2]", "1/4: \"hello\""]
        );
        logged("in a thread").await;
        logged("ffext is used from the scene's own thread").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn a_flood_of_frames_does_not_starve_timers() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, time
            @ffext.session_call(1)
            def work(session, message):
                time.sleep(0.0001)
            @ffext.session_call(2)
            def begin(session, message):
                tick()
            ticks = 0
            def tick():
                global ticks
                ticks += 1
                ffext.once_timer(1, tick)
            @ffext.session_call(3)
            def end(session, message):
                ffext.send_msg_session(session, 3, ticks)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 2, "null");
        for _ in 0..3000 {
            stage.frame(1, 1, "null");
        }
        stage.frame(1, 3, "null");
        stage.finished(3002).await;
        let ticks = messages(&stage.take_actions());
        let ticks: u32 = ticks[0].strip_prefix("1/3: ").unwrap().parse().unwrap();
        assert!(ticks > 20, "{ticks} ticks during 300 ms of work");
        assert!(stage.stop().await);
    });
}
