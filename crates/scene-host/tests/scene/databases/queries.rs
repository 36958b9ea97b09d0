//! Queries, transactions, and scripts that give them up.

use super::{done_with, urls};
use crate::stage::{alone, log};

#[test]
fn a_query_is_awaited_or_calls_back_and_never_raises() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            @handler(1)
            async def work(url):
                db = Any(url, timeout=5)
                await db.table('script_query', 'n BIGINT')
                results = asyncio.Queue()
                assert db.db.query('INSERT INTO script_query VALUES (1)', results.put_nowait) is None
                result = await results.get()
                assert result and result.flag is True and result.error == '' and result.affected == 1
                assert result.error.kind == '' and result.result == []
                # Parameters, with the callback as the seed has it.
                db.db.query(db.sql('SELECT n FROM script_query WHERE n = ?'), [1], results.put_nowait)
                result = await results.get()
                assert result.result == [(1,)] and result.column == ('n',) and result.result[0][0] == 1
                for broken in (db.db.query('SELEKT'), None):
                    if broken is None:
                        db.db.query('SELEKT', results.put_nowait)
                        result = await results.get()
                    else:
                        result = await broken
                    assert not result and result.flag is False and result.result == [] and not result.column
                    assert result.error.kind == 'refused' and 'SELEKT' in str(result.error), repr(result)
                # A coroutine is a callback, too; and one that fails harms nothing.
                async def later(result):
                    await asyncio.sleep(0)
                    results.put_nowait(result)
                db.db.query('SELECT 7', later)
                assert (await results.get()).result == [(7,)]
                def fails(result):
                    results.put_nowait(result)
                    raise RuntimeError('callback fails')
                db.db.query('SELECT 7', fails)
                await results.get()
                for wrong in (5, 'x'):
                    try:
                        db.db.query('SELECT 1', [], wrong)
                    except TypeError as error:
                        assert 'callback' in str(error)
                    else:
                        raise AssertionError(wrong)
                await raises('refused', db.fetch('SELECT ?'))
                await raises('refused', db.fetch('BEGIN'))
                assert issubclass(ffext.DatabaseError, ffext.CallError)
                await raises('unavailable', Any('postgres://u:p@127.0.0.1:1/d').fetch('SELECT 1'))
                return 'done'
            "#,
        )
        .await;
        assert!(log().contains("callback fails"), "{}", log());
    });
}

#[test]
fn a_transaction_commits_or_is_undone_by_an_exception_or_a_cancellation() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            @handler(1)
            async def work(url):
                db = Any(url)
                await db.table('script_transactions', 'n BIGINT PRIMARY KEY')
                insert = db.sql('INSERT INTO script_transactions VALUES (?)')
                async def held():
                    rows = await db.fetch('SELECT n FROM script_transactions ORDER BY n')
                    return [row['n'] for row in rows]
                async with db.db.transaction() as tx:
                    await tx.fetch(insert, [1])
                    assert (await tx.fetch_one('SELECT COUNT(*) AS n FROM script_transactions'))['n'] == 1
                    assert (await tx.query('SELECT 7')).result == [(7,)]
                assert await held() == [1]
                try:
                    async with db.db.transaction() as tx:
                        await tx.fetch(insert, [2])
                        raise KeyError('mine')
                except KeyError as error:
                    assert error.args == ('mine',)
                assert await held() == [1]
                async def twice():
                    async with db.db.transaction() as tx:
                        await tx.fetch(insert, [3])
                        await tx.fetch(insert, [3])
                await raises('constraint', twice())
                assert await held() == [1]
                # What nobody waits for is done before the end, in its order.
                told = []
                async with db.db.transaction() as tx:
                    for n in range(10, 30):
                        tx.query(insert, [n], lambda result: told.append(result.flag))
                assert told == [True] * 20, told
                # Whoever waits for the end hears of it last.
                for _ in range(200):
                    told = []
                    async with db.db.transaction() as tx:
                        for _ in range(8):
                            tx.query('SELECT 1', lambda result: told.append(result.flag))
                    assert told == [True] * 8, told
                assert await held() == [1, *range(10, 30)]
                async with db.db.transaction() as tx:
                    counts = await asyncio.gather(*(
                        tx.fetch(text) for _ in range(20) for text in (
                            'DELETE FROM script_transactions WHERE n = '
                            '(SELECT n FROM (SELECT MAX(n) AS n FROM script_transactions) AS m)',
                            'SELECT COUNT(*) FROM script_transactions')))
                assert [rows[0][0] for rows in counts[1::2]] == list(range(20, 0, -1)), counts
                assert await held() == [1]
                async def stuck(inside):
                    async with db.db.transaction() as tx:
                        await tx.fetch(insert, [4])
                        inside.set()
                        await asyncio.sleep(60)
                for how in ('cancel', 'timeout'):
                    inside = asyncio.Event()
                    task = asyncio.ensure_future(stuck(inside))
                    await inside.wait()
                    if how == 'cancel':
                        task.cancel()
                    else:
                        try:
                            await asyncio.wait_for(task, 0.01)
                        except TimeoutError:
                            pass
                    try:
                        await task
                    except asyncio.CancelledError:
                        pass
                    assert await held() == [1], how
                # Even if too much is asked for to ask for its end.
                for own in (KeyError('mine'), None) if url == 'sqlite://test.db' else ():
                    asked = []
                    try:
                        async with db.db.transaction() as tx:
                            await tx.fetch(insert, [6])
                            asked += [tx.fetch('SELECT 1') for _ in range(65536)]
                            await raises('overloaded', tx.fetch('SELECT 1'))
                            assert (await tx.query('SELECT 1')).error.kind == 'overloaded'
                            if own:
                                raise own
                    except KeyError as error:
                        assert error is own
                    except ffext.DatabaseError as error:
                        assert own is None and error.kind == 'overloaded', error
                    else:
                        raise AssertionError('committed')
                    for one in asked:
                        one.cancel()
                    await raises('refused', tx.fetch('SELECT 1'))
                    assert await held() == [1], own
                # One that nobody ends is undone in time.
                tx = db.db.transaction(timeout=0.2)
                await tx.__aenter__()
                await tx.fetch(insert, [5])
                assert await held() == [1]
                async def until_over():
                    while True:
                        await tx.fetch('SELECT 1')
                        await asyncio.sleep(0.01)
                await raises('deadline_exceeded', asyncio.wait_for(until_over(), 10))
                for wrong in (tx.__aenter__(), db.db.transaction().fetch_one('SELECT 1')):
                    try:
                        await wrong
                    except RuntimeError as error:
                        assert 'transaction' in str(error)
                    else:
                        raise AssertionError(wrong)
                return 'done'
            "#,
        )
        .await;
    });
}

#[test]
fn a_cancelled_wait_gives_the_statement_up_and_the_scene_goes_on() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            slow = {
                'sqlite': 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n '
                          'WHERE i < 2000000000) SELECT COUNT(*) FROM n',
                'mysql': 'SELECT SLEEP(60)',
                'postgres': 'SELECT pg_sleep(60)',
            }
            @handler(1)
            async def work(url):
                db = Any(url, pool=2)
                for _ in range(5):
                    try:
                        async with asyncio.timeout(0.02):
                            await db.fetch(slow[db.kind])
                    except TimeoutError:
                        pass
                    else:
                        raise AssertionError('it was quick')
                assert (await db.fetch('SELECT 7'))[0][0] == 7
                limited = Any(url, timeout=0.2)
                error = await raises('deadline_exceeded', limited.fetch(slow[db.kind].replace('SLEEP(60)',
                    'COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b')))
                return 'done'
            "#,
        )
        .await;
    });
}

#[test]
fn old_scripts_may_escape_what_they_paste() {
    alone(|| async {
        let [_, _, mysql, _] = urls();
        done_with(
            &[mysql],
            r#"
            @handler(1)
            async def work(url):
                evil = "'; DROP TABLE x; -- \\ \" \0 \n \r \x1a é"
                rows = await ffext.ffdb_create(url).fetch(f"SELECT '{ffext.escape(evil)}'")
                assert rows[0][0] == evil, rows
                return 'done'
            "#,
        )
        .await;
    });
}
