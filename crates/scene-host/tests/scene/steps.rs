//! Coroutines whose first step the host takes are tasks like any other.

use crate::stage::{Stage, alone, log, logged, messages};

#[test]
fn what_is_begun_at_once_behaves_as_a_task_does() {
    alone(|| async {
        let mut stage = Stage::start(include_str!("steps.py")).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "");
        stage.finished(1).await;
        let seen = messages(&stage.take_actions());
        assert!(
            seen.len() == 1 && seen[0].starts_with("1/1: "),
            "{seen:#?}\n{}",
            log()
        );
        assert!(!log().contains("Task was destroyed"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_handler_that_does_not_wait_is_done_before_the_next_event() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio
            tasks = set()
            @ffext.session_call(1)
            async def at_once(session, number):
                tasks.add(id(asyncio.current_task()))
                ffext.send_msg_session(session, 1, number)
            @ffext.session_call(2)
            def plain(session, number):
                ffext.send_msg_session(session, 2, number)
            @ffext.session_call(3, concurrent=True)
            async def concurrent(session, number):
                ffext.send_msg_session(session, 3, number)
                await asyncio.sleep(0)
            @ffext.session_call(4)
            def tell(session, number):
                ffext.send_msg_session(session, 4, [len(tasks), len(asyncio.all_tasks())])
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        for number in 0..4 {
            for (login, cmd) in [(1, 1), (2, 2), (1, 3), (2, 1), (1, 1)] {
                stage.frame(login, cmd, number.to_string());
            }
        }
        stage.finished(20).await;
        let seen = messages(&stage.take_actions());
        let expected = (0..4).flat_map(|number| {
            [(1, 1), (2, 2), (1, 3), (2, 1), (1, 1)]
                .map(|(login, cmd)| format!("{login}/{cmd}: {number}"))
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        stage.frame(1, 4, "0");
        stage.finished(1).await;
        // They share one until somebody who waits takes it, and nobody sees it.
        assert_eq!(messages(&stage.take_actions()), ["1/4: [5,0]"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_session_waits_for_its_handler_that_waits() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext, asyncio
            @ffext.session_call(1)
            async def waits(session, number):
                await asyncio.sleep(0.001 * (number % 3))
                ffext.send_msg_session(session, 1, number)
            @ffext.session_call(2)
            async def fails(session, number):
                await asyncio.sleep(0)
                raise ValueError('behind the wait')
            "#,
        )
        .await;
        for login in 1..=20 {
            stage.enter(&format!("player {login}"), login);
        }
        for number in 0..10 {
            for login in 1..=20 {
                stage.frame(login, 1, number.to_string());
            }
        }
        stage.frame(1, 2, "0");
        stage.finished(201).await;
        let seen = messages(&stage.take_actions());
        for login in 1..=20 {
            let own = format!("{login}/");
            let own: Vec<_> = seen.iter().filter(|seen| seen.starts_with(&own)).collect();
            let expected: Vec<_> = (0..10).map(|n| format!("{login}/1: {n}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
        }
        logged("behind the wait").await;
        assert!(log().contains("handler=\"main.fails\" session_id=\"player 1\""));
        assert!(stage.stop().await);
    });
}
