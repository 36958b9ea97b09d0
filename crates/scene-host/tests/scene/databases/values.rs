//! What goes into a database comes out of it as it was.

use super::{PROLOGUE, done_with, urls};
use crate::stage::{Stage, alone};

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
