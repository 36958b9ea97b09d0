//! Every type goes in and comes out as it was.

use database::{Date, DateTime, ErrorKind, Time, Value};

use crate::servers::{ALL, Kind, Test};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

fn date(year: i64, month: u8, day: u8) -> Date {
    Date::new(year, month, day).unwrap()
}

fn moment(year: i64, micros: u32, is_utc: bool) -> DateTime {
    DateTime {
        date: date(year, 2, 28),
        time: Time::new(23, 59, 58, micros).unwrap(),
        is_utc,
    }
}

/// Writes a value into a column of a type, with NULL beside it, and reads both.
async fn round_trip(test: &Test, ty: &str, value: &Value) -> Value {
    test.table("types_of", &format!("n INTEGER, v {ty}")).await;
    // Another text for each, since the table of an equal one would have changed.
    let insert = format!("INSERT INTO types_of VALUES (1, ?), (2, ?) -- {ty}");
    test.run_with(&insert, vec![value.clone(), Value::Null])
        .await;
    let rows = test.run("SELECT v FROM types_of ORDER BY n").await.rows;
    assert_eq!(rows[1], [Value::Null], "{ty}");
    rows[0][0].clone()
}

async fn all_come_back(kind: Kind, values: &[(&str, Value)]) {
    let test = Test::new(kind);
    for (ty, value) in values {
        let back = round_trip(&test, ty, value).await;
        assert_eq!(back, *value, "{kind:?} {ty}");
    }
}

#[tokio::test]
async fn sqlite_gives_back_what_it_was_given() {
    let values = [
        ("INTEGER", Value::Int(i64::MIN)),
        ("BIGINT", Value::Int(i64::MAX)),
        ("BOOLEAN", Value::Bool(true)),
        ("BOOLEAN", Value::Bool(false)),
        ("BOOLEAN", Value::Int(2)),
        ("REAL", Value::Float(-0.1)),
        ("TEXT", text("é 当前 \u{1F407} ' \" \\ %")),
        ("TEXT", text("")),
        ("BLOB", Value::Bytes((0..=255).collect())),
        ("DATE", Value::Date(date(2024, 2, 29))),
        ("TIME", Value::Time(Time::new(7, 5, 9, 250_000).unwrap())),
        ("DATETIME", Value::DateTime(moment(1969, 1, false))),
        ("TIMESTAMP", Value::DateTime(moment(9999, 999_999, true))),
    ];
    all_come_back(Kind::Sqlite, &values).await;
    all_come_back(Kind::Memory, &values).await;
    let test = Test::new(Kind::Sqlite);
    for (value, stored) in [
        (
            decimal("12345678901234567890.10"),
            text("12345678901234567890.10"),
        ),
        (Value::Json(r#"{"a":[1]}"#.into()), text(r#"{"a":[1]}"#)),
        (
            Value::Uuid([0xAB; 16]),
            text("abababab-abab-abab-abab-abababababab"),
        ),
    ] {
        assert_eq!(round_trip(&test, "TEXT", &value).await, stored);
    }
    // A column of dates may hold anything.
    assert_eq!(round_trip(&test, "DATE", &text("soon")).await, text("soon"));
    for value in [Value::Unsigned(u64::MAX), Value::Duration(1)] {
        let error = test.try_run("SELECT ?", vec![value]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error.message.contains("parameter 1") && error.message.contains("bind"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn mysql_gives_back_what_it_was_given() {
    let values = [
        ("TINYINT", Value::Int(-128)),
        ("SMALLINT", Value::Int(-32_768)),
        ("MEDIUMINT", Value::Int(-8_388_608)),
        ("INT", Value::Int(-2_147_483_648)),
        ("BIGINT", Value::Int(i64::MIN)),
        ("BIGINT UNSIGNED", Value::Unsigned(u64::MAX)),
        ("BIGINT UNSIGNED", Value::Int(5)),
        ("INT UNSIGNED", Value::Int(4_294_967_295)),
        ("BOOLEAN", Value::Bool(true)),
        ("BOOLEAN", Value::Bool(false)),
        ("BOOLEAN", Value::Int(7)),
        ("BIT(12)", Value::Int(4_000)),
        ("YEAR", Value::Int(2024)),
        ("FLOAT", Value::Float(0.1)),
        ("DOUBLE", Value::Float(-1.0e300)),
        ("DECIMAL(30,4)", decimal("-12345678901234567890.1000")),
        ("VARCHAR(50)", text("é 当前 \u{1F407} ' \" \\ %")),
        ("TEXT", text("")),
        ("TEXT COLLATE utf8mb4_bin", text("compared by bytes")),
        ("CHAR(3)", text("abc")),
        ("ENUM('red', 'white')", text("white")),
        ("SET('a', 'b')", text("a,b")),
        ("VARBINARY(300)", Value::Bytes((0..=255).collect())),
        ("BLOB", Value::Bytes(b"plain".to_vec())),
        ("BINARY(2)", Value::Bytes(vec![0, 255])),
        ("DATE", Value::Date(date(2024, 2, 29))),
        ("TIME(6)", Value::Duration(-838 * 3_600_000_000 - 1)),
        ("TIME", Value::Duration(0)),
        ("DATETIME(6)", Value::DateTime(moment(1969, 1, false))),
        ("DATETIME", Value::DateTime(moment(9999, 0, false))),
        (
            "TIMESTAMP(6) NULL",
            Value::DateTime(moment(2024, 999_999, true)),
        ),
    ];
    all_come_back(Kind::MySql, &values).await;
    let test = Test::new(Kind::MySql);
    let noon = Time::new(12, 0, 0, 0).unwrap();
    for (ty, value, back) in [
        (
            "TIME",
            Value::Time(noon),
            Value::Duration(12 * 3_600_000_000),
        ),
        (
            "JSON",
            Value::Json(r#"{"a":[1]}"#.into()),
            text(r#"{"a":[1]}"#),
        ),
        (
            "UUID",
            Value::Uuid([0xAB; 16]),
            text("abababab-abab-abab-abab-abababababab"),
        ),
    ] {
        assert_eq!(round_trip(&test, ty, &value).await, back, "{ty}");
    }
    let error = test
        .try_run("SELECT POINT(1, 2) AS place", vec![])
        .await
        .unwrap_err();
    assert!(
        error.message.contains("\"place\"") && error.message.contains("CAST"),
        "{error}"
    );
    // It cannot be prepared: the server's own text.
    let shown = test.run("SHOW VARIABLES LIKE 'version'").await;
    assert_eq!(shown.rows.len(), 1);
}

#[tokio::test]
async fn postgres_gives_back_what_it_was_given() {
    let values = [
        ("SMALLINT", Value::Int(-32_768)),
        ("INTEGER", Value::Int(i64::from(i32::MIN))),
        ("BIGINT", Value::Int(i64::MAX)),
        ("BOOLEAN", Value::Bool(true)),
        ("BOOLEAN", Value::Bool(false)),
        ("REAL", Value::Float(0.1)),
        ("DOUBLE PRECISION", Value::Float(-1.0e300)),
        ("DOUBLE PRECISION", Value::Float(f64::INFINITY)),
        ("NUMERIC", decimal("-12345678901234567890123.1000")),
        ("NUMERIC", decimal("NaN")),
        ("NUMERIC(10, 4)", decimal("0.0005")),
        ("TEXT", text("é 当前 \u{1F407} ' \" \\ %")),
        ("VARCHAR(10)", text("")),
        ("CHAR(3)", text("abc")),
        ("BYTEA", Value::Bytes((0..=255).collect())),
        ("DATE", Value::Date(date(1, 1, 1))),
        ("DATE", Value::Date(date(9999, 12, 31))),
        ("TIME", Value::Time(Time::new(23, 59, 59, 999_999).unwrap())),
        ("TIMESTAMP", Value::DateTime(moment(1969, 1, false))),
        ("TIMESTAMPTZ", Value::DateTime(moment(2024, 999_999, true))),
        ("INTERVAL", Value::Duration(-90_000_000_001)),
        ("JSON", Value::Json(r#"{"a": [1]}"#.into())),
        ("JSONB", Value::Json(r#"{"a": [1]}"#.into())),
        ("UUID", Value::Uuid([0xAB; 16])),
    ];
    all_come_back(Kind::Postgres, &values).await;
    let test = Test::new(Kind::Postgres);
    test.run("DROP TABLE IF EXISTS types_of").await;
    test.run("DROP TYPE IF EXISTS types_mood").await;
    test.run("CREATE TYPE types_mood AS ENUM ('sad', 'glad')")
        .await;
    test.run("DROP DOMAIN IF EXISTS types_level").await;
    test.run("CREATE DOMAIN types_level AS INT CHECK (VALUE > 0)")
        .await;
    assert_eq!(
        round_trip(&test, "types_mood", &text("glad")).await,
        text("glad")
    );
    assert_eq!(
        round_trip(&test, "types_level", &Value::Int(7)).await,
        Value::Int(7)
    );
    assert_eq!(
        round_trip(&test, "NUMERIC", &Value::Unsigned(u64::MAX)).await,
        decimal("18446744073709551615")
    );
    for (sql, value, help) in [
        ("SELECT $1::int", text("5"), "bind such a value"),
        ("SELECT $1::int2", Value::Int(40_000), "does not fit"),
        ("SELECT $1::inet", text("::1"), "$1::text::TYPE"),
    ] {
        let error = test.try_run(sql, vec![value]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error.message.contains("parameter 1") && error.message.contains(help),
            "{error}"
        );
    }
    for (sql, help) in [
        ("SELECT '::1'::inet AS v", "::text"),
        ("SELECT ARRAY[1, 2] AS v", "to_json"),
        ("SELECT 'infinity'::timestamp AS v", "::text"),
        ("SELECT '-infinity'::date AS v", "::text"),
        ("SELECT '1 month'::interval AS v", "EXTRACT"),
        ("SELECT '24:00'::time AS v", "::text"),
    ] {
        let error = test.try_run(sql, vec![]).await.unwrap_err();
        assert!(
            error.message.contains("column \"v\"") && error.message.contains(help),
            "{error}"
        );
    }
    assert_eq!(test.run("SELECT pg_sleep(0)").await.rows, [[Value::Null]]);
}

#[tokio::test]
async fn text_that_looks_like_sql_is_text() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("types_injected", "v TEXT").await;
        let evil = text("'; DROP TABLE types_injected; -- \\' \" ; ? $1 %s");
        test.run_with("INSERT INTO types_injected VALUES (?)", vec![evil.clone()])
            .await;
        let rows = test
            .run_with(
                "SELECT v FROM types_injected WHERE v = ?",
                vec![evil.clone()],
            )
            .await;
        assert_eq!(rows.rows, [[evil]], "{kind:?}");
    }
}
