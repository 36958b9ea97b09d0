//! Who is let in.

use std::time::Duration;

use scene_host::Verdict;

use crate::stage::{Stage, alone, limits, log, logged};

fn refusal(verdict: Verdict) -> String {
    match verdict {
        Verdict::Refused(reason) => reason,
        Verdict::Accepted { session, .. } => panic!("{session} was let in"),
    }
}

#[test]
fn the_callback_decides_and_its_reply_is_sent() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext, asyncio
            @ffext.session_verify_callback
            async def verify(session_key, online_time, ip, gate_name):
                await asyncio.sleep(0)
                print('verify', repr((session_key, online_time, ip, gate_name)))
                return [session_key, {'welcome': session_key}]
            "#,
        )
        .await;
        for name in ["ann", "bob", "ann"] {
            let Verdict::Accepted { session, reply, .. } = stage.verify(name).await else {
                panic!("{name} was turned away");
            };
            assert_eq!(session.as_str(), name);
            assert_eq!(reply, format!("{{\"welcome\":\"{name}\"}}"));
        }
        logged("verify ('ann', 1700000000, '192.0.2.1', 'gate@0')").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn a_callback_that_fails_or_answers_nonsense_turns_away() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_timeout = Duration::from_millis(100);
        let stage = Stage::start_with(
            r#"
            import ffext, asyncio
            answers = {
                'refused': lambda: [], 'none': lambda: None, 'raises': lambda: 1 / 0,
                'exits': lambda: exit(), 'nonsense': lambda: 'a string',
                'number': lambda: [42], 'later': lambda: later(), 'never': lambda: asyncio.sleep(60),
            }
            async def later():
                await asyncio.sleep(0)
                raise RuntimeError('later')
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                return answers[session_key]()
            "#,
            limits,
        )
        .await;
        for (key, reason) in [
            ("refused", "refused"),
            ("none", "refused"),
            ("raises", "verification failed"),
            ("exits", "verification failed"),
            ("nonsense", "verification failed"),
            ("number", "verification failed"),
            ("later", "verification failed"),
            ("never", "verification failed"),
            ("unknown key", "verification failed"),
        ] {
            assert_eq!(refusal(stage.verify(key).await), reason, "{key}");
        }
        let log = log();
        for text in [
            "ZeroDivisionError",
            "found 'a string'",
            "found 42",
            "RuntimeError: later",
        ] {
            assert!(log.contains(text), "`{text}` was not logged:\n{log}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn without_a_callback_everybody_is_turned_away() {
    alone(|| async {
        let stage = Stage::start("import ffext").await;
        assert_eq!(
            refusal(stage.verify("ann").await),
            "nobody verifies clients here"
        );
        assert!(stage.stop().await);
    });
}

#[test]
fn a_verdict_that_nobody_waits_for_is_not_made() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext, os, time
            GO_ON = os.path.join(os.path.dirname(__file__), 'go-on')
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                print('asked for', session_key)
                return [session_key]
            @ffext.session_call(1, bytes)
            def block(session, body):
                while not os.path.exists(GO_ON):
                    time.sleep(0.01)
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "");
        let gone = tokio::time::timeout(Duration::from_millis(50), stage.verify("ghost")).await;
        assert!(gone.is_err());
        let verdict = stage.begin_verify("ann");
        std::fs::write(stage.folder().join("go-on"), "").unwrap();
        assert!(matches!(verdict.await, Some(Verdict::Accepted { .. })));
        logged("asked for ann").await;
        assert!(!log().contains("asked for ghost"), "{}", log());
        assert!(stage.stop().await);
    });
}
