//! More than a database takes, and more than a row may have.

use super::{done_with, urls};
use crate::stage::alone;

#[test]
fn of_100_000_queries_at_once_each_ends_once_and_most_as_overloaded() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            @handler(1)
            async def work(url):
                db, ends, all_done = Any(url, timeout=60), {}, asyncio.Event()
                def done(result):
                    kind = result.error.kind if not result else result.result[0][0]
                    ends[kind] = ends.get(kind, 0) + 1
                    if sum(ends.values()) == 100_000:
                        all_done.set()
                for _ in range(100_000):
                    db.db.query('SELECT 7', done)
                await all_done.wait()
                await db.fetch('SELECT 7')
                assert sum(ends.values()) == 100_000 and set(ends) == {7, 'overloaded'}, ends
                assert ends[7] >= 10_000, ends
                return 'done'
            "#,
        )
        .await;
    });
}

#[test]
fn a_row_of_64_mb_is_an_error_and_no_more() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            @handler(1)
            async def work(url):
                db = Any(url, timeout=30)
                large = 'zeroblob(67108864)' if db.kind == 'sqlite' else "REPEAT('x', 67108864)"
                text = await raises('too_large', db.fetch(f'SELECT {large}'))
                assert '32 MiB' in text and 'LIMIT' in text, text
                assert (await db.fetch('SELECT 7'))[0][0] == 7
                return 'done'
            "#,
        )
        .await;
    });
}
