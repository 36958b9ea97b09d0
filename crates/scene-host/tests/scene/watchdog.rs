//! A handler that holds everything up is named.

use std::time::Duration;

use crate::stage::{Stage, alone, limits, log, logged};

const BLOCKING: &str = r#"
    import ffext, time, asyncio, os
    def wait_in_c():
        time.sleep(0.6)
    def wait_in_python():
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass
    @ffext.session_call(1)
    def sleeps(session, message):
        wait_in_c()
    @ffext.session_call(2)
    def spins(session, message):
        wait_in_python()
    @ffext.session_call(3)
    async def task(session, message):
        await asyncio.sleep(0)
        wait_in_c()
    @ffext.session_call(4)
    def timer(session, message):
        ffext.once_timer(0, wait_in_python)
    @ffext.session_call(5)
    def system(session, message):
        os.system('sleep 0.6')
"#;

#[test]
fn a_handler_that_blocks_is_named_with_its_stack() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_warn = Duration::from_millis(150);
        let mut stage = Stage::start_with(BLOCKING, limits).await;
        stage.enter("a", 1);
        for (cmd, handler, inside) in [
            (1, "main.sleeps", "in wait_in_c"),
            (2, "main.spins", "in wait_in_python"),
            (3, "main.task", "in wait_in_c"),
            (4, "timer main.wait_in_python", "in wait_in_python"),
            (5, "main.system", "in system"),
        ] {
            let before = log().len();
            stage.frame(1, cmd, "null");
            stage.finished(1).await;
            stage.take_actions();
            crate::stage::eventually(
                || log()[before..].contains("script runs again"),
                || format!("cmd {cmd} was not noticed:\n{}", log()),
            )
            .await;
            let log = log()[before..].to_owned();
            assert!(log.contains(&format!("handler=\"{handler}\"")), "{log}");
            assert!(log.contains(inside), "{log}");
            assert!(log.contains("main.py\", line "), "{log}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn handlers_in_time_are_never_named() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_warn = Duration::from_secs(1);
        let mut stage = Stage::start_with(
            r#"
            import ffext, time
            @ffext.session_call(1)
            def work(session, message):
                time.sleep(0.002)
            "#,
            limits,
        )
        .await;
        stage.enter("a", 1);
        // Three seconds of work, none of which takes long.
        for _ in 0..1500 {
            stage.frame(1, 1, "null");
        }
        stage.finished(1500).await;
        assert!(!log().contains("script blocked"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_script_that_blocks_while_it_is_loaded_is_named() {
    alone(|| async {
        let mut limits = limits();
        limits.handler_warn = Duration::from_millis(100);
        let stage = Stage::start_with("import time\ntime.sleep(0.5)\n", limits).await;
        logged("script blocked").await;
        let log = log();
        assert!(
            log.contains("loading of the script") && log.contains("line 2 in <module>"),
            "{log}"
        );
        assert!(stage.stop().await);
    });
}
