//! The script is changed under the sessions that use it.

use scene_host::Verdict;

use crate::stage::{Stage, alone, log, logged, messages};

const GREETER: &str = r#"
    import ffext

    class Player:
        def __init__(self, name):
            self.name = name
        def greet(self):
            return 'hello ' + self.name

    class Players:
        def __init__(self):
            self.by_name = {}

    def players():
        return ffext.singleton(Players).by_name

    @ffext.session_verify_callback
    def verify(session_key, online_time, ip, gate_name):
        return [session_key]

    @ffext.session_enter_callback
    def enter(session, from_scene, extra_data):
        players()[session] = Player(session)

    @ffext.session_call(1)
    def greet(session, message):
        ffext.send_msg_session(session, 1, players()[session].greet())

    @ffext.session_call(2)
    def reload(session, message):
        result = ffext.reload()
        ffext.send_msg_session(session, 2, [bool(result), str(result), 'hello'])
"#;

#[test]
fn new_code_is_live_for_sessions_that_stay() {
    alone(|| async {
        let mut stage = Stage::start(GREETER).await;
        let mut status = stage.host.status();
        let first = status.borrow_and_update().clone();
        assert_eq!((first.version, first.hash.len()), (1, 12));
        assert!(first.loaded_at.is_some() && first.last_error.is_none());

        stage.enter("ann", 1);
        stage.frame(1, 1, "null");
        assert_eq!(stage.messages(1).await, ["1/1: \"hello ann\""]);

        stage.write(&GREETER.replace("hello", "goodbye"));
        // From within a handler: it finishes as old code.
        stage.frame(1, 2, "null");
        stage.frame(1, 1, "null");
        let seen = stage.messages(3).await;
        assert!(
            seen[1].starts_with("1/2: [true,\"ok: main version 2 ("),
            "{seen:?}"
        );
        assert!(seen[1].ends_with(")\",\"hello\"]"), "{seen:?}");
        assert_eq!(seen[2], "1/1: \"goodbye ann\"");

        let second = status.borrow_and_update().clone();
        assert_eq!(second.version, 2);
        assert_ne!(second.hash, first.hash);
        assert!(seen[1].contains(&second.hash));
        assert!(stage.stop().await);
    });
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_why() {
    alone(|| async {
        let mut stage = Stage::start(GREETER).await;
        stage.enter("ann", 1);
        let broken = [
            (
                "def broken(:",
                "error: main.py, line 1: SyntaxError: invalid syntax",
            ),
            (
                "import ffext\n@ffext.session_call(1)\ndef f(s, m): pass\nboom",
                "error: main.py, line 4: NameError: name 'boom' is not defined",
            ),
            (
                "raise SystemExit(1)",
                "error: main.py, line 1: SystemExit: 1",
            ),
            (
                "import nothing_such",
                "error: main.py, line 1: ModuleNotFoundError",
            ),
            ("\0", "error: "),
        ];
        for (source, expected) in broken {
            stage.write(source);
            let text = stage.reload().await;
            assert!(text.starts_with(expected), "{source}: {text}");
            let status = stage.host.status().borrow().clone();
            assert_eq!(status.version, 1);
            assert!(text.ends_with(&status.last_error.unwrap()));
        }
        stage.frame(1, 1, "null");
        assert_eq!(stage.messages(1).await, ["1/1: \"hello ann\""]);
        stage.write(&GREETER.replace("hello", "goodbye"));
        assert!(stage.reload().await.starts_with("ok: main version 2"));
        assert_eq!(stage.host.status().borrow().last_error, None);
        stage.frame(1, 1, "null");
        assert_eq!(stage.messages(2).await[1], "1/1: \"goodbye ann\"");
        assert!(stage.stop().await);
    });
}

#[test]
fn a_script_that_does_not_load_at_start_is_mended_by_a_reload() {
    alone(|| async {
        let mut stage = Stage::start("import ffext\n1 / 0").await;
        let status = stage.host.status().borrow().clone();
        assert_eq!((status.version, status.hash.as_str()), (0, ""));
        assert_eq!(
            status.last_error.as_deref(),
            Some("main.py, line 2: ZeroDivisionError: division by zero")
        );
        logged("script not loaded").await;
        let Verdict::Refused(reason) = stage.verify("ann").await else {
            panic!("let in without a script");
        };
        assert_eq!(reason, "the server's script has not loaded");
        // Sessions of a gate that has not asked this scene do no harm either.
        stage.enter("bob", 7);
        stage.frame(7, 1, "null");
        stage.finished(1).await;

        stage.write(GREETER);
        assert!(stage.reload().await.starts_with("ok: main version 1"));
        assert!(matches!(
            stage.verify("ann").await,
            Verdict::Accepted { .. }
        ));
        assert!(stage.stop().await);
    });
}

#[test]
fn no_frame_is_lost_or_reordered_by_reloads() {
    alone(|| async {
        const FRAMES: u32 = 2_000;
        let script = |version: u32| {
            format!(
                r#"
                import ffext
                version = {version}
                @ffext.session_call(1)
                async def echo(session, number):
                    ffext.send_msg_session(session, 1, [number, version])
                @ffext.session_call(2)
                def reload(session, message):
                    assert ffext.reload()
                "#
            )
        };
        let mut stage = Stage::start(&script(0)).await;
        stage.enter("a", 1);
        for number in 0..FRAMES {
            stage.frame(1, 1, number.to_string());
            if number % 100 == 0 {
                stage.write(&script(number));
                if number % 200 == 0 {
                    stage.frame(1, 2, "null");
                } else {
                    assert!(stage.reload().await.starts_with("ok"));
                }
            }
        }
        stage.finished(FRAMES + FRAMES / 200).await;
        let seen = messages(&stage.take_actions());
        assert_eq!(seen.len() as u32, FRAMES, "{}", log());
        let mut last_version = 0;
        for (number, message) in seen.iter().enumerate() {
            let body = message.strip_prefix("1/1: ").unwrap();
            let pair: (usize, u32) = serde_json::from_str(body).unwrap();
            assert_eq!(pair.0, number);
            assert!(pair.1 >= last_version, "old code after new: {message}");
            last_version = pair.1;
        }
        assert!(last_version >= FRAMES - 200);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_handler_that_waits_finishes_as_old_code_and_the_next_frame_is_new() {
    alone(|| async {
        let script = |text: &str| {
            format!(
                r#"
                import ffext, asyncio
                class Gate:
                    def __init__(self): self.event = asyncio.Event()
                @ffext.session_call(1)
                async def wait(session, message):
                    await ffext.singleton(Gate).event.wait()
                    ffext.send_msg_session(session, 1, '{text}')
                @ffext.session_call(2)
                def open(session, message):
                    ffext.singleton(Gate).event.set()
                "#
            )
        };
        let mut stage = Stage::start(&script("old")).await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        stage.frame(1, 1, "null");
        stage.frame(1, 1, "null");
        stage.write(&script("new"));
        assert!(stage.reload().await.starts_with("ok"));
        stage.frame(2, 2, "null");
        assert_eq!(stage.messages(2).await, ["1/1: \"old\"", "1/1: \"new\""]);
        assert!(stage.stop().await);
    });
}

#[test]
fn modules_beside_the_script_are_loaded_again_by_name() {
    alone(|| async {
        let mut stage = Stage::start("raise SystemExit").await;
        stage.write_file("rules.py", "def price():\n    return 1\n");
        stage.write(
            r#"
            import ffext
            from rules import price
            @ffext.session_call(1)
            def ask(session, message):
                ffext.send_msg_session(session, 1, price())
            @ffext.session_call(2)
            def reload(session, name):
                ffext.send_msg_session(session, 2, str(ffext.reload(name)))
            "#,
        );
        assert!(stage.reload().await.starts_with("ok: main version 1"));
        stage.enter("a", 1);
        stage.write_file("rules.py", "def price():\n    return 2\n");
        stage.frame(1, 1, "null");
        stage.frame(1, 2, "\"rules\"");
        stage.frame(1, 1, "null");
        stage.frame(1, 2, "\"os\"");
        let seen = stage.messages(4).await;
        assert_eq!(seen[0], "1/1: 1");
        assert!(
            seen[1].starts_with("1/2: \"ok: rules version 2 ("),
            "{seen:?}"
        );
        assert_eq!(seen[2], "1/1: 2");
        assert_eq!(
            seen[3],
            "1/2: \"error: os is not one of the script's own modules\""
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn functions_are_grafted_under_bound_methods_timers_and_closures() {
    alone(|| async {
        // The same as the package's own tests, but with the native half.
        let script = |n: u32, call_super: &str| {
            format!(
                r#"
                import ffext, functools
                def traced(function):
                    @functools.wraps(function)
                    def wrapper(*arguments):
                        return ['{n}', *function(*arguments)]
                    return wrapper
                class Base:
                    def tick(self): return ['base {n}']
                class Thing(Base):
                    @traced
                    def tick(self): return ['thing {n}'{call_super}]
                class Held: pass
                @ffext.session_call(1)
                def hold(session, message):
                    tick = Thing().tick
                    ffext.singleton(Held).call = lambda: ['inner {n}', *tick()]
                @ffext.session_call(2)
                def call(session, message):
                    ffext.broadcast_msg_session(1, ffext.singleton(Held).call())
                "#
            )
        };
        let mut stage = Stage::start(&script(1, "")).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        for n in 2..30 {
            let call_super = if n % 2 == 0 { "" } else { ", *super().tick()" };
            stage.write(&script(n, call_super));
            let text = stage.reload().await;
            assert!(text.ends_with(')'), "something was kept: {text}");
        }
        stage.frame(1, 2, "null");
        let seen = stage.messages(1).await;
        assert_eq!(
            seen,
            [r#"*/1: ["inner 29","29","thing 29","base 29"]"#],
            "{}",
            log()
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_source_is_checked_without_being_run() {
    alone(|| async {
        let stage = Stage::start("import ffext").await;
        let checker = stage.host.handle();
        let check = async |source: &str| checker.check(source.to_owned()).await;
        assert_eq!(check("print('never')\n").await, Ok(()));
        for (source, line, column, message) in [
            ("def f(:\n    pass\n", 1, 7, "invalid syntax"),
            ("a = 1\n\nreturn a\n", 3, 1, "'return' outside function"),
            ("if 1:\nprint()\n", 2, 1, "expected an indented block"),
            ("x = 'ab\n", 1, 5, "unterminated string literal"),
            ("\0", 1, 1, "null bytes"),
            (&"(".repeat(300), 1, 201, "too many nested parentheses"),
        ] {
            let problem = check(source).await.unwrap_err();
            assert!(problem.message.contains(message), "{source:.20}: {problem}");
            assert_eq!(
                (problem.line, problem.column),
                (line, column),
                "{source:.20}: {problem}"
            );
        }
        assert!(!log().contains("never"));
        assert_eq!(stage.host.status().borrow().version, 1);
        assert!(stage.stop().await);
    });
}
