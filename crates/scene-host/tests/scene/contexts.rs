//! Context variables: who sees what a function of the script has set.

use crate::stage::{Stage, alone, messages};

#[test]
fn what_a_handler_sets_in_a_context_variable_nobody_else_sees() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio, contextvars
            who = contextvars.ContextVar('who', default='nobody')
            def tell(session, what):
                ffext.send_msg_session(session, 9, [what, who.get()])
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                before = who.get()
                who.set('verified')
                return [session_key, before]
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                tell(session, 'enter')
                who.set('entered')
            @ffext.session_call(1)
            def plain(session, message):
                tell(session, 'plain')
                who.set(session)
                # What it begins is its own.
                ffext.once_timer(0, lambda: tell(session, 'timer'))
            @ffext.session_call(2)
            async def task(session, message):
                tell(session, 'task')
                who.set(session)
                await asyncio.sleep(0)
                tell(session, 'task goes on')
            @ffext.session_call(3)
            def returns_a_coroutine(session, message):
                async def later():
                    tell(session, 'coroutine')
                who.set(session)
                return later()
            "#,
        )
        .await;
        for _ in 0..2 {
            let scene_host::Verdict::Accepted { reply, .. } = stage.verify("a").await else {
                panic!("turned away");
            };
            assert_eq!(reply, "nobody");
        }
        stage.enter("a", 1);
        stage.enter("b", 2);
        // A task first, so that what follows runs when it has ended.
        for cmd in [2, 1, 3, 2] {
            stage.frame(1, cmd, "null");
            stage.frame(2, cmd, "null");
        }
        stage.finished(8).await;
        stage.messages(2 * 8).await;
        let seen = messages(&stage.take_actions());
        for (login, name) in [(1, "a"), (2, "b")] {
            let count = |what: &str, who: &str| {
                let line = format!(r#"{login}/9: ["{what}","{who}"]"#);
                seen.iter().filter(|seen| **seen == line).count()
            };
            for (what, who, times) in [
                ("enter", "nobody", 1),
                ("plain", "nobody", 1),
                ("timer", name, 1),
                ("task", "nobody", 2),
                ("task goes on", name, 2),
                ("coroutine", name, 1),
            ] {
                assert_eq!(count(what, who), times, "{what}, {who}: {seen:#?}");
            }
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn what_the_script_sets_while_it_is_loaded_every_function_sees() {
    alone(|| async {
        const SCRIPT: &str = r#"
            import contextvars, decimal, ffext
            where = ffext.singleton(type('Where', (), {'of': contextvars.ContextVar('where')})).of
            where.set('first load')
            decimal.getcontext().prec = 5
            @ffext.session_enter_callback
            def enter(session, from_scene, extra_data):
                tell(session)
            @ffext.session_call(1)
            def plain(session, message):
                tell(session)
            @ffext.session_call(2)
            async def task(session, message):
                tell(session)
            def tell(session):
                third = decimal.Decimal(1) / 3
                ffext.send_msg_session(session, 9, [where.get(), str(third)])
            "#;
        let mut stage = Stage::start(SCRIPT).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.frame(1, 2, "null");
        let first = r#"1/9: ["first load","0.33333"]"#;
        assert_eq!(stage.messages(3).await, [first; 3]);
        stage.take_actions();

        let second = SCRIPT.replace("first load", "second load");
        stage.write(&second.replace("prec = 5", "prec = 3"));
        let outcome = stage.reload().await;
        assert!(outcome.contains("version 2"), "{outcome}");
        stage.frame(1, 1, "null");
        stage.frame(1, 2, "null");
        let second = r#"1/9: ["second load","0.333"]"#;
        assert_eq!(stage.messages(2).await, [second; 2]);
        assert!(stage.stop().await);
    });
}
