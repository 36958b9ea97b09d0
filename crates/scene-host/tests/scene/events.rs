//! Events within a scene, and what is due again and again.

use crate::stage::{Stage, alone, log, logged};

#[test]
fn events_reach_all_who_are_bound_and_one_that_fails_harms_nobody() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import asyncio
            import ffext

            @ffext.bind_event('entered')
            def first(session, what):
                ffext.send_msg_session(session, 1, ['first', what])

            @ffext.bind_event('entered')
            def second(session, what):
                raise ValueError('second')

            @ffext.bind_event('entered')
            async def third(session, what):
                await asyncio.sleep(0)
                ffext.send_msg_session(session, 1, ['third', what])
                ffext.post('done', session)

            @ffext.bind_event('done')
            def done(session):
                ffext.send_msg_session(session, 1, 'done')

            @ffext.bind_event('again')
            def again(): ffext.post('again')
            @ffext.bind_event('again')
            def and_again(): ffext.post('again')

            @ffext.session_call(1)
            def call(session, message):
                count = ffext.post('entered', session, what=message)
                ffext.send_msg_session(session, 1, ['told', count, ffext.post('nothing')])

            @ffext.session_call(2)
            def endless(session, message):
                ffext.post('again')
                ffext.send_msg_session(session, 1, 'ended')
            "#,
        )
        .await;
        stage.enter("ann", 1);
        stage.frame(1, 1, "7");
        assert_eq!(
            stage.messages(4).await,
            [
                r#"1/1: ["first",7]"#,
                r#"1/1: ["told",3,0]"#,
                r#"1/1: ["third",7]"#,
                r#"1/1: "done""#
            ]
        );
        logged("ValueError: second").await;
        // Two that post each other end in one go, and do not try all ways.
        stage.frame(1, 2, "null");
        stage.messages(5).await;
        logged("RecursionError").await;
        let log = log();
        assert!(log.matches("RecursionError: ").count() < 10, "{log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn an_interval_goes_on_after_a_call_that_fails_and_until_it_is_cancelled() {
    alone(|| async {
        let mut stage = Stage::start(
            r#"
            import ffext
            calls = []
            def tick():
                calls.append(1)
                if len(calls) == 2:
                    raise ValueError('second call')
                ffext.broadcast_msg_session(1, len(calls))
                if len(calls) == 4:
                    ticks.cancel()
                    ffext.once_timer(50, lambda: ffext.broadcast_msg_session(1, 'end'))
            ticks = ffext.interval(5, tick)
            "#,
        )
        .await;
        let messages = ["*/1: 1", "*/1: 3", "*/1: 4", r#"*/1: "end""#];
        assert_eq!(stage.messages(4).await, messages);
        logged("ValueError: second call").await;
        assert!(stage.stop().await);
    });
}
