//! Scripts ask databases: real ones, of every kind.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use crate::stage::{Stage, alone, eventually, log, logged, messages};

/// Where databases of each kind are.
fn urls() -> [String; 4] {
    let server = |name: &str| {
        env::var(name).unwrap_or_else(|_| {
            panic!(
                "{name} is not set: start this as tests/servers/run cargo nextest run -p scene-host"
            )
        })
    };
    [
        "sqlite://test.db".to_owned(),
        "sqlite::memory:".to_owned(),
        server("REDRABBIT_TEST_MYSQL"),
        server("REDRABBIT_TEST_POSTGRES"),
    ]
}

/// What the scripts of these tests begin with. Frames are answered with what their
/// coroutine returns, or with how it failed.
const PROLOGUE: &str = r#"
import asyncio, datetime, decimal, gc, os, traceback, uuid
import ffext

def handler(cmd):
    def decorate(function):
        @ffext.session_call(cmd, concurrent=True)
        async def handle(session, message):
            try:
                reply = await function(message)
            except BaseException:
                reply = traceback.format_exc()
            ffext.send_msg_session(session, cmd, reply)
        return function
    return decorate

async def raises(kind, awaitable):
    try:
        await awaitable
    except ffext.DatabaseError as error:
        assert error.kind == kind, (error.kind, str(error))
        return str(error)
    raise AssertionError(f'not {kind}')

def threads():
    "How many connections to SQLite there are: each has a thread."
    names = []
    for task in os.listdir('/proc/self/task'):
        try:
            names.append(open(f'/proc/self/task/{task}/comm').read())
        except OSError:
            pass
    return sum(name.startswith('sqlx-sqlite') for name in names)

class Any:
    "A database, with ? for placeholders."
    def __init__(self, url, **options):
        self.db = ffext.ffdb_create(url, **options)
        self.kind = url.split(':')[0]
    def sql(self, text):
        if self.kind != 'postgres':
            return text
        first, *parts = text.split('?')
        return first + ''.join(f'${n}{part}' for n, part in enumerate(parts, 1))
    async def fetch(self, text, *params):
        return await self.db.fetch(self.sql(text), params)
    async def table(self, name, columns):
        await self.fetch(f'DROP TABLE IF EXISTS {name}')
        await self.fetch(f'CREATE TABLE {name} ({columns})')
"#;

/// Runs a script that answers its one frame with `"done"`, with the URL of a
/// database as the frame's body, for each of them.
async fn done_with(urls: &[String], source: &str) {
    let mut stage = Stage::start(&format!("{PROLOGUE}\n{}", crate::stage::unindent(source))).await;
    stage.enter("a", 1);
    for url in urls {
        stage.frame(1, 1, format!("{url:?}"));
        let answer = stage.messages(1).await;
        stage.take_actions();
        assert_eq!(answer, ["1/1: \"done\""], "{url}\n{}", log());
    }
    assert!(stage.stop().await);
}

#[test]
fn every_type_goes_in_and_comes_out_as_it_was() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            utc = datetime.timezone.utc
            moment = datetime.datetime(2024, 2, 29, 23, 59, 58, 123456)
            east = datetime.timezone(datetime.timedelta(hours=2))
            everywhere = {
                'BIGINT': [0, -1, 2**63 - 1, -2**63],
                'BOOLEAN': [True, False],
                'DOUBLE PRECISION': [0.1, -1e300],
                'TEXT': ['', "é 当前 \U0001F407 ' \" \\ ? $1"],
                'DATE': [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
            }
            own = {
                'sqlite': {
                    'BLOB': [b'', bytes(range(256))],
                    'TIME': [datetime.time(7, 5, 9, 250000)],
                    'DATETIME': [moment, moment.replace(tzinfo=utc)],
                },
                'mysql': {
                    'BIGINT UNSIGNED': [2**64 - 1],
                    'BLOB': [b'', bytes(range(256))],
                    'DECIMAL(40,4)': [decimal.Decimal('-123456789012345678901234567890.1000')],
                    'TIME(6)': [datetime.timedelta(hours=-800, microseconds=1)],
                    'DATETIME(6)': [moment],
                    'TIMESTAMP(6) NULL': [moment.replace(tzinfo=utc)],
                },
                'postgres': {
                    'NUMERIC': [decimal.Decimal('-123456789012345678901234567890.1000')],
                    'BYTEA': [b'', bytes(range(256))],
                    'TIME': [datetime.time(7, 5, 9, 250000)],
                    'INTERVAL': [datetime.timedelta(days=-3, microseconds=1)],
                    'TIMESTAMP': [moment],
                    'TIMESTAMPTZ': [moment.replace(tzinfo=utc)],
                    'JSONB': [{'a': [1, None, {'b': 'é'}]}, [], [1.5]],
                    'UUID': [uuid.UUID(int=2**127 + 5)],
                },
            }
            async def trip(db, column, value):
                await db.table('script_types', f'v {column}')
                # Each has a text of its own, since its table is another one.
                await db.fetch(f'INSERT INTO script_types VALUES (?) -- {column}', value)
                return (await db.fetch(f'SELECT v FROM script_types -- {column}'))[0][0]
            @handler(1)
            async def work(url):
                db = Any(url)
                for columns in everywhere, own[db.kind]:
                    for column, values in columns.items():
                        for value in (*values, None):
                            back = await trip(db, column, value)
                            assert back == value and type(back) is type(value), (column, value, back)
                            if isinstance(value, datetime.datetime):
                                assert back.tzinfo is value.tzinfo, back
                for column, value, expected in [
                    ('TEXT', 'x', 'x'),
                    ('TEXT', {'a': [1]}, '{"a":[1]}'),
                    ('VARCHAR(40)', 'Straße', 'Straße'),
                ]:
                    assert await trip(db, column, value) == expected, column
                if db.kind != 'sqlite':
                    shown = moment.replace(tzinfo=east)
                    column = 'TIMESTAMPTZ' if db.kind == 'postgres' else 'TIMESTAMP(6) NULL'
                    back = await trip(db, column, shown)
                    assert back == shown and back.tzinfo is utc, back
                    column = 'NUMERIC' if db.kind == 'postgres' else 'DECIMAL(40)'
                    assert await trip(db, column, 2**100) == 2**100
                    assert await trip(db, column, decimal.Decimal('1E+3')) == 1000
                for wrong in (object(), {1}, lambda: 0, datetime.time(1, tzinfo=utc)):
                    try:
                        db.db.fetch(db.sql('SELECT ?'), [wrong])
                    except (TypeError, ValueError) as error:
                        assert 'parameter 1' in str(error), error
                    else:
                        raise AssertionError(wrong)
                for wrong in ('text', 5, {'a': 1}):
                    try:
                        db.db.fetch('SELECT 1', wrong)
                    except TypeError as error:
                        assert 'a list or a tuple' in str(error), error
                    else:
                        raise AssertionError(wrong)
                return 'done'
            "#,
        )
        .await;
    });
}

#[test]
fn rows_are_found_by_place_and_by_name() {
    alone(|| async {
        done_with(
            &urls(),
            r#"
            @handler(1)
            async def work(url):
                db = Any(url)
                await db.table('script_rows', 'id BIGINT, name VARCHAR(20)')
                done = await db.fetch("INSERT INTO script_rows VALUES (1, 'a'), (2, NULL)")
                assert done == [] and done.affected == 2 and done.column == (), done.column
                rows = await db.fetch('SELECT id, name, id AS id FROM script_rows ORDER BY id')
                assert rows.column == ('id', 'name', 'id') and len(rows) == 2
                row = rows[0]
                assert (row[0], row[-1], row['name'], row[:2]) == (1, 1, 'a', (1, 'a'))
                one, name, _ = row
                assert (one, name) == (1, 'a') and len(row) == 3 and 'a' in row
                assert row == (1, 'a', 1) and row == [1, 'a', 1] and row != rows[1] and row != 5
                assert hash(row) == hash((1, 'a', 1)) and row < rows[1]
                assert dict(row) == {'id': 1, 'name': 'a'} and row.keys() == rows.column
                assert row.values() == (1, 'a', 1) and list(row) == [1, 'a', 1]
                assert row.get('name') == 'a' and row.get('x') is None and row.get('x', 7) == 7
                assert repr(rows[1]) == '<Row id=2 name=None id=2>', repr(rows[1])
                for wrong, error in ((3, IndexError), ('x', KeyError), (None, TypeError)):
                    try:
                        row[wrong]
                    except error as raised:
                        assert wrong != 'x' or "'name'" in str(raised), raised
                    else:
                        raise AssertionError(wrong)
                empty = await db.fetch('SELECT id, name FROM script_rows WHERE id = 9')
                assert empty == [] and empty.column == ('id', 'name')
                assert await db.db.fetch_one('SELECT id FROM script_rows WHERE id = 9') is None
                row = await db.db.fetch_one(db.sql('SELECT id FROM script_rows WHERE id = ?'), (2,))
                assert row['id'] == 2
                return 'done'
            "#,
        )
        .await;
    });
}

#[test]
fn rows_are_lists_to_json() {
    alone(|| async {
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                @handler(1)
                async def work(message):
                    rows = await ffext.ffdb_create('sqlite::memory:').fetch("SELECT 1 AS a, 'b' AS b")
                    return [rows, {'row': rows[0]}, dict(rows[0])]
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        let expected = r#"1/1: [[[1,"b"]],{"row":[1,"b"]},{"a":1,"b":"b"}]"#;
        assert_eq!(stage.messages(1).await, [expected]);
        assert!(stage.stop().await);
    });
}

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

#[test]
fn a_password_is_in_no_log_and_no_error_of_a_script() {
    alone(|| async {
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                urls = []
                @handler(1)
                async def work(url):
                    scheme, rest = url.split('://')
                    place = rest.split('@')[1]
                    host, name = place.split('/')
                    wrong = f'{scheme}://redrabbit:w0nderland@{place}'
                    older = f'{scheme}://{host}/redrabbit/w0nderland/{name}'
                    for url in (wrong, older, f'{scheme}://redrabbit:w0nderland@127.0.0.1:1/x'):
                        db = ffext.ffdb_create(url)
                        result = await db.query('SELECT 1')
                        print(result, repr(result), db, db.url, result.error, repr(db._native))
                        assert result.error.kind == 'unavailable', result
                        async def lost():
                            await db.fetch('SELECT 1')
                        task = asyncio.ensure_future(lost())
                        await asyncio.wait([task])
                        assert 'w0nderland' not in str(task.exception())
                    for bad in ('w0nderland', f'{scheme}://redrabbit:w0nderland', f'{scheme}://u:w0nderland@h:w0nderland/d',
                                'oracle://u:w0nderland@h/d', f'{scheme}://u:p@h/d?w0nderland'):
                        try:
                            ffext.ffdb_create(bad)
                        except ValueError as error:
                            assert 'w0nderland' not in str(error), error
                        else:
                            raise AssertionError(bad)
                    return 'done'
                @ffext.session_call(2)
                async def fail(session, url):
                    scheme, rest = url.split('://')
                    await ffext.ffdb_create(f'{scheme}://redrabbit:w0nderland@{rest.split("@")[1]}').fetch('SELECT 1')
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        let [_, _, mysql, postgres] = urls();
        for url in [mysql, postgres] {
            stage.frame(1, 1, format!("{url:?}"));
            stage.frame(1, 2, format!("{url:?}"));
            stage.finished(2).await;
            assert_eq!(
                messages(&stage.take_actions()),
                ["1/1: \"done\""],
                "{}",
                log()
            );
        }
        logged("database cannot be reached").await;
        logged("ffext.errors.DatabaseError: cannot connect to").await;
        let log = log();
        // Where the script itself says it, in a line of its source.
        for line in log
            .lines()
            .filter(|line| !line.contains("await ffext.ffdb_create(f'"))
        {
            assert!(!line.contains("w0nderland"), "{line}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn a_script_that_is_loaded_again_has_the_same_database_and_leaks_none() {
    alone(|| async {
        let source = |n: u32| {
            format!(
                "{PROLOGUE}
version = {n}
db = ffext.ffdb_create('sqlite::memory:')
files = ffext.ffdb_create('sqlite://kept.db', pool=2)
@handler(1)
async def work(message):
    if version == 1:
        await db.fetch('CREATE TABLE kept (n BIGINT)')
        await files.fetch('CREATE TABLE kept (n BIGINT)')
    for one in (db, files):
        await one.fetch(f'INSERT INTO kept VALUES ({{version}})')
    return [await one.fetch('SELECT n FROM kept ORDER BY n') for one in (db, files)]
@handler(2)
async def count(message):
    gc.collect()
    return threads()
"
            )
        };
        let mut stage = Stage::start(&source(1)).await;
        stage.enter("a", 1);
        for n in 1..=5 {
            if n > 1 {
                stage.write(&source(n));
                assert!(stage.reload().await.starts_with("ok"), "{}", log());
            }
            stage.frame(1, 1, "null");
            let rows: Vec<String> = (1..=n).map(|n| format!("[{n}]")).collect();
            let rows = rows.join(",");
            let answer = stage.messages(1).await;
            stage.take_actions();
            assert_eq!(answer, [format!("1/1: [[{rows}],[{rows}]]")]);
        }
        stage.frame(1, 2, "null");
        let threads = stage.messages(1).await;
        assert_eq!(threads, ["1/2: 2"], "a connection each");
        assert!(stage.stop().await);
    });
}

#[test]
fn a_database_that_nobody_uses_or_that_is_closed_has_no_connections() {
    alone(|| async {
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                async def gone():
                    async with asyncio.timeout(10):
                        while threads():
                            await asyncio.sleep(0.01)
                @handler(1)
                async def work(message):
                    db = ffext.ffdb_create('sqlite://one.db')
                    await db.fetch('SELECT 1')
                    assert threads() == 1
                    del db
                    await gone()
                    one = ffext.ffdb_create('sqlite://one.db')
                    same = ffext.ffdb_create('sqlite://one.db')
                    await one.fetch('SELECT 1')
                    one.close()
                    await gone()
                    await raises('unavailable', same.fetch('SELECT 1'))
                    again = ffext.ffdb_create('sqlite://one.db')
                    await again.fetch('SELECT 1')
                    return os.path.exists(os.path.join(os.path.dirname(__file__), 'one.db'))
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        assert_eq!(stage.messages(1).await, ["1/1: true"], "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_scene_that_stops_does_not_wait_for_statements() {
    alone(|| async {
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                @handler(1)
                async def work(url):
                    db = ffext.ffdb_create(url)
                    db.query('SELECT pg_sleep(60)', print)
                    asyncio.ensure_future(db.query('SELECT pg_sleep(60)'))
                    tx = db.transaction()
                    await tx.__aenter__()
                    return 'begun'
                @ffext.session_offline_callback
                async def offline(session, online_time):
                    rows = await ffext.ffdb_create('sqlite://world.db').fetch('SELECT 7')
                    print('saved', rows[0][0])
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        let [_, _, _, postgres] = urls();
        stage.frame(1, 1, format!("{postgres:?}"));
        assert_eq!(stage.messages(1).await, ["1/1: \"begun\""]);
        let begun = std::time::Instant::now();
        assert!(stage.stop().await, "{}", log());
        assert!(begun.elapsed() < Duration::from_secs(10));
        eventually(|| log().contains("saved 7"), log).await;
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

#[test]
fn a_server_that_is_killed_and_started_again_costs_a_script_errors_and_no_restart() {
    alone(|| async {
        let folder = tempfile::TempDir::new().unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/servers/mariadb");
        let start = |port: Option<&str>| {
            let mut server = Command::new(scripts)
                .arg(folder.path().join("server"))
                .args(port)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut url = String::new();
            let output = server.stdout.take().unwrap();
            BufReader::new(output).read_line(&mut url).unwrap();
            (server, url.trim().to_owned())
        };
        let (mut server, url) = start(None);
        let port = url.rsplit_once(':').unwrap().1;
        let port = port.split('/').next().unwrap().to_owned();
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                dbs = []
                async def works(db):
                    async with asyncio.timeout(15):
                        while not (result := await db.query('SELECT 7')):
                            assert result.error.kind in ('unavailable', 'deadline_exceeded'), result
                            await asyncio.sleep(0.05)
                @handler(1)
                async def begin(url):
                    dbs.append(ffext.ffdb_create(url))
                    await works(dbs[0])
                    return 'up'
                @handler(2)
                async def meanwhile(message):
                    for _ in range(20):
                        await raises('unavailable', dbs[0].fetch('SELECT 7'))
                    try:
                        async with dbs[0].transaction():
                            return 'it began'
                    except ffext.DatabaseError as error:
                        return error.kind
                @handler(3)
                async def again(message):
                    await works(dbs[0])
                    async with dbs[0].transaction() as tx:
                        return (await tx.fetch('SELECT 7'))[0]
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        stage.frame(1, 1, format!("{url:?}"));
        assert_eq!(stage.messages(1).await, ["1/1: \"up\""]);
        server.kill().unwrap();
        server.wait().unwrap();
        stage.frame(1, 2, "null");
        assert_eq!(stage.messages(2).await[1], "1/2: \"unavailable\"");
        let (mut server, _) = start(Some(&port));
        stage.frame(1, 3, "null");
        let answers = stage.messages(3).await;
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(answers[2], "1/3: [7]", "{}", log());
        assert!(stage.stop().await);
    });
}
