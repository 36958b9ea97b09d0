//! What a script does that it should not: it is told of once, counted, and harms
//! nothing else.

use std::time::Duration;

use daemon::Metrics;

use crate::stage::{Stage, alone, eventually, limits, log, logged, messages};

/// The sum of a metric's values, of the series whose labels have all of these.
fn metric(metrics: &Metrics, name: &str, labels: &[&str]) -> f64 {
    let text = metrics.to_text();
    let of_name = text.lines().filter(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with(['{', ' ']) && labels.iter().all(|label| line.contains(label))
    });
    of_name
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn counted(metrics: &Metrics, name: &str, labels: &[&str], expected: f64) {
    eventually(
        || metric(metrics, name, labels) >= expected,
        || {
            format!(
                "{name} {labels:?} never was {expected}:\n{}",
                metrics.to_text()
            )
        },
    )
    .await;
    let seen = metric(metrics, name, labels);
    assert!((seen - expected).abs() < 0.5, "{name} {labels:?} is {seen}");
}

const ERRORS: &str = "redrabbit_script_errors_total";

#[test]
fn an_error_that_comes_again_and_again_is_told_once_and_counted_each_time() {
    alone(|| async {
        let metrics = Metrics::install();
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def fail(session, message):
                {}['no such key']
            @ffext.session_call(2)
            async def fail_too(session, message):
                raise ValueError('async')
            "#,
        )
        .await;
        for login in 1..=100 {
            stage.enter(&format!("player {login}"), login);
        }
        for number in 0..5_000 {
            stage.frame(number % 100 + 1, 1, "null");
            stage.frame(number % 100 + 1, 2, "null");
        }
        stage.finished(10_000).await;
        counted(
            &metrics,
            ERRORS,
            &["kind=\"call\"", "handler=\"main.fail\""],
            5_000.0,
        )
        .await;
        counted(&metrics, ERRORS, &["handler=\"main.fail_too\""], 5_000.0).await;
        logged("script failed again, as before").await;
        let log = log();
        // One more for every second that it took.
        let told = log.matches("KeyError: 'no such key'").count();
        assert!((1..30).contains(&told), "told {told} times");
        assert!(
            log.contains("handler=\"main.fail\" session_id=\"player 1\""),
            "{log}"
        );
        assert!(log.contains("in fail\n"), "{log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn what_each_function_takes_is_measured() {
    alone(|| async {
        let metrics = Metrics::install();
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio, time
            @ffext.session_call(1)
            @ffext.session_call(2)
            def plain(session, message):
                time.sleep(0.01)
            @ffext.session_call(3)
            async def waits(session, message):
                time.sleep(0.01)
                await asyncio.sleep(0.5)
                time.sleep(0.01)
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                ffext.once_timer(0, tick)
            def tick():
                time.sleep(0.01)
            "#,
        )
        .await;
        stage.enter("a", 1);
        for cmd in [1, 1, 2, 3] {
            stage.frame(1, cmd, "null");
        }
        stage.finished(4).await;
        let calls = "redrabbit_handler_calls_total";
        counted(
            &metrics,
            calls,
            &["handler=\"main.plain\"", "cmd=\"1\""],
            2.0,
        )
        .await;
        counted(
            &metrics,
            calls,
            &["handler=\"main.plain\"", "cmd=\"2\""],
            1.0,
        )
        .await;
        counted(
            &metrics,
            calls,
            &["handler=\"main.waits\"", "cmd=\"3\""],
            1.0,
        )
        .await;
        counted(&metrics, calls, &["handler=\"timer main.tick\""], 1.0).await;
        let seconds = |handler: &str| {
            let handler = format!("handler=\"{handler}\"");
            metric(&metrics, "redrabbit_handler_seconds_total", &[&handler])
        };
        eventually(
            || seconds("main.waits") >= 0.02,
            || "a task's later steps are not measured".to_owned(),
        )
        .await;
        // It runs for 20 ms, and waits for 500.
        assert!(seconds("main.waits") < 0.4, "{}", seconds("main.waits"));
        assert!(seconds("main.plain") >= 0.03, "{}", seconds("main.plain"));
        assert!(seconds("timer main.tick") >= 0.01);
        assert!(stage.stop().await);
    });
}

#[test]
fn an_event_loop_that_is_stopped_or_closed_runs_on() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio
            loop = asyncio.get_running_loop
            harm = {
                'stop': lambda: loop().stop(),
                'close': lambda: loop().close(),
                'close later': lambda: loop().call_soon(loop().close),
                'run': lambda: loop().run_forever(),
                'run until': lambda: loop().run_until_complete(asyncio.sleep(0)),
                'asyncio.run': lambda: asyncio.run(asyncio.sleep(0)),
                'forget': lambda: asyncio.set_event_loop(None),
                'executor': lambda: loop().set_default_executor(3),
            }
            @ffext.session_call(1)
            def plain(session, message):
                harm[message]()
            @ffext.session_call(2)
            async def begun(session, message):
                harm[message]()
            @ffext.session_call(3)
            async def later(session, message):
                await asyncio.sleep(0)
                harm[message]()
            @ffext.session_call(4)
            async def fine(session, message):
                await asyncio.sleep(0.001)
                ffext.send_msg_session(session, 4, message)
            "#,
        )
        .await;
        stage.enter("a", 1);
        let mut count = 0;
        for cmd in 1..=3 {
            for harm in [
                "stop",
                "close",
                "close later",
                "run",
                "run until",
                "asyncio.run",
                "forget",
                "executor",
            ] {
                stage.frame(1, cmd, format!("\"{harm}\""));
                stage.frame(1, 4, count.to_string());
                count += 1;
            }
        }
        stage.finished(2 * count).await;
        let seen = messages(&stage.take_actions());
        assert_eq!(seen.len() as u32, count, "{seen:?}");
        let log = log();
        assert!(
            log.contains("the script has stopped the event loop"),
            "{log}"
        );
        assert!(log.contains("Cannot close a running event loop"), "{log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn tasks_that_never_end_are_counted_and_told_of() {
    alone(|| async {
        let metrics = Metrics::install();
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio
            kept = []
            async def forever():
                await asyncio.get_running_loop().create_future()
            @ffext.session_call(1)
            def leak(session, message):
                kept.extend(asyncio.ensure_future(forever()) for _ in range(12_000))
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        logged("12000 tasks have not ended; most are 12000 of forever (main.py, line 4)").await;
        counted(&metrics, "redrabbit_script_tasks", &[], 12_000.0).await;
        assert!(stage.stop().await);
        assert_eq!(log().matches("tasks have not ended").count(), 1);
    });
}

#[test]
fn a_task_that_fails_where_nobody_looks_is_told_of_with_its_origin() {
    alone(|| async {
        let metrics = Metrics::install();
        let mut stage = Stage::start(
            r#"
            import asyncio, ffext, gc, threading
            async def lost():
                await asyncio.sleep(0)
                raise ValueError('in a task')
            def callback():
                raise ValueError('in a callback')
            def thread():
                raise ValueError('in a thread')
            def calls():
                ffext.broadcast_msg_session(1, 'from a thread')
            class Dies:
                def __del__(self):
                    raise ValueError('in a destructor')
            async def forgotten():
                future = asyncio.get_running_loop().create_future()
                future.set_exception(ValueError('in a future'))
            @ffext.session_call(1)
            def begin(session, message):
                loop = asyncio.get_running_loop()
                loop.create_task(lost(), name='the lost one')
                loop.call_soon(callback)
                for target in thread, calls:
                    threading.Thread(target=target, name=f'my {target.__name__}').start()
                Dies()
                return forgotten()
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for (kind, handler, text) in [
            ("task", "lost (main.py, line 3)", "in a task"),
            ("callback", "main.callback", "in a callback"),
            ("future", "Future", "in a future"),
            ("thread", "my thread", "in a thread"),
            (
                "thread",
                "my calls",
                "ffext is used from the scene's own thread",
            ),
            ("unraisable", "main.Dies.__del__", "in a destructor"),
        ] {
            logged(text).await;
            logged(&format!("kind=\"{kind}\" handler=\"{handler}\"")).await;
            counted(
                &metrics,
                ERRORS,
                &[
                    &format!("kind=\"{kind}\""),
                    &format!("handler=\"{handler}\""),
                ],
                1.0,
            )
            .await;
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn recursion_without_end_is_an_error_in_python_and_in_c() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, functools, json, sys
            def dive(): return dive()
            class Node:
                def __getattr__(self, name): return getattr(self, name + 'x')
                def __repr__(self): return repr([self])
                def __eq__(self, other): return [self] == [other]
                def __len__(self): return len(self)
            deep = []
            for _ in range(100_000):
                deep = [deep]
            ways = {
                'python': dive,
                'getattr': lambda: Node().a,
                'repr': lambda: repr(Node()),
                'eq': lambda: Node() == Node(),
                'len': lambda: len(Node()),
                'deep repr': lambda: repr(deep),
                'deep json': lambda: json.dumps(deep),
                'send': lambda: ffext.broadcast_msg_session(1, deep),
            }
            @ffext.session_call(1)
            def fail(session, message):
                ways[message]()
            @ffext.session_call(2)
            async def fail_async(session, message):
                ways[message]()
            @ffext.session_call(3)
            def deeper(session, message):
                sys.setrecursionlimit(20_000)
                try:
                    ways[message]()
                finally:
                    sys.setrecursionlimit(1_000)
            @ffext.session_call(4)
            def fine(session, message):
                ffext.send_msg_session(session, 4, message)
            "#,
        )
        .await;
        stage.enter("a", 1);
        let mut frames = 0;
        for cmd in 1..=3 {
            for way in [
                "python",
                "getattr",
                "repr",
                "eq",
                "len",
                "deep repr",
                "deep json",
                "send",
            ] {
                stage.frame(1, cmd, format!("\"{way}\""));
                frames += 1;
            }
        }
        stage.frame(1, 4, "\"alive\"");
        stage.finished(frames + 1).await;
        assert_eq!(messages(&stage.take_actions()), ["1/4: \"alive\""]);
        assert!(log().contains("RecursionError"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn what_a_callback_returns_that_is_of_no_use_is_told_of_once_and_counted() {
    alone(|| async {
        let metrics = Metrics::install();
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                return object()
            @ffext.session_leave_callback
            def leave(session, to_scene, extra_data):
                return 5.5
            "#,
        )
        .await;
        for _ in 0..50 {
            stage.verify("a").await;
        }
        for login in 1..=50 {
            stage.enter(&format!("player {login}"), login);
            stage.leave(login, "scene@1", "");
        }
        stage.left(50).await;
        counted(&metrics, ERRORS, &["kind=\"verify\"", "main.verify"], 50.0).await;
        counted(&metrics, ERRORS, &["kind=\"leave\"", "main.leave"], 50.0).await;
        let log = log();
        assert_eq!(log.matches("leave returned nonsense").count(), 1, "{log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn a_loop_in_c_without_end_is_named_and_left_behind() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_warn = Duration::from_millis(100);
        let stage = Stage::start_with(
            r#"
            import collections, ffext, itertools
            def exhaust():
                collections.deque(itertools.repeat(None), maxlen=0)
            @ffext.session_call(1)
            def block(session, message):
                exhaust()
            "#,
            limits,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        logged("script blocked").await;
        let seen = log();
        assert!(seen.contains("handler=\"main.block\""), "{seen}");
        assert!(seen.contains("in exhaust"), "{seen}");
        assert!(!stage.host.stop(Duration::from_millis(300)).await);
        logged("script does not end, and is left behind").await;
    });
}
