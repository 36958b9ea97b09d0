//! Far from a benchmark: says that a batch is not absurdly slow.

use std::time::{Duration, Instant};

use crate::stage::{Stage, alone, messages};

#[test]
fn frames_are_echoed_in_order_and_without_haste() {
    alone(|| async {
        const SESSIONS: u64 = 100;
        const FRAMES: u64 = 50_000;
        let mut stage = Stage::start(
            r#"
            import ffext
            @ffext.session_call(1)
            def echo(session, message):
                ffext.send_msg_session(session, 1, message)
            @ffext.session_call(2, bytes)
            def raw(session, body):
                ffext.send_msg_session(session, 2, body)
            @ffext.session_call(3)
            async def wait(session, message):
                ffext.send_msg_session(session, 3, message)
            "#,
        )
        .await;
        for login in 1..=SESSIONS {
            stage.enter(&format!("player {login}"), login);
        }
        for (cmd, what) in [(2, "raw"), (1, "json"), (3, "async json")] {
            let started = Instant::now();
            for number in 0..FRAMES {
                let body = format!(r#"["a line of chat", {number}]"#);
                stage.frame(number % SESSIONS + 1, cmd, body);
            }
            stage.finished(u32::try_from(FRAMES).unwrap()).await;
            let took = started.elapsed();
            println!(
                "{what}: {:.2} µs a frame",
                took.as_secs_f64() * 1e6 / FRAMES as f64
            );
            let seen = messages(&stage.take_actions());
            assert_eq!(seen.len() as u64, FRAMES);
            if cmd != 3 {
                let last = seen.last().unwrap();
                assert!(last.ends_with(&format!("{}]", FRAMES - 1)), "{last}");
            }
            assert!(took < Duration::from_secs(20), "{what} took {took:?}");
        }
        assert!(stage.stop().await);
    });
}
