//! What a statement returns, and when it is refused.

use database::{ErrorKind, Settings, Value};

use crate::servers::{ALL, Kind, Test};

#[tokio::test]
async fn a_result_has_columns_also_when_it_has_no_rows() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("statements_empty", "id INTEGER, name TEXT")
            .await;
        let rows = test
            .run("SELECT id, name AS called FROM statements_empty")
            .await;
        assert_eq!(rows.columns, ["id", "called"], "{kind:?}");
        assert!(rows.rows.is_empty());
        let rows = test.run("DELETE FROM statements_empty").await;
        assert!(rows.columns.is_empty() && rows.affected == 0);
    }
}

#[tokio::test]
async fn changed_rows_are_counted_and_the_last_id_is_told() {
    for kind in ALL {
        let test = Test::new(kind);
        let id = match kind {
            Kind::Sqlite | Kind::Memory => "id INTEGER PRIMARY KEY",
            Kind::MySql => "id BIGINT PRIMARY KEY AUTO_INCREMENT",
            Kind::Postgres => "id BIGSERIAL PRIMARY KEY",
        };
        test.table("statements_ids", &format!("{id}, name TEXT"))
            .await;
        let insert = "INSERT INTO statements_ids (name) VALUES (?)";
        for name in ["a", "b"] {
            let done = test.run_with(insert, vec![Value::Text(name.into())]).await;
            assert_eq!(done.affected, 1);
            let expected = (kind != Kind::Postgres).then_some(if name == "a" { 1 } else { 2 });
            assert_eq!(done.last_id, expected, "{kind:?}");
        }
        let done = test.run("UPDATE statements_ids SET name = 'c'").await;
        assert_eq!(done.affected, 2, "{kind:?}");
        assert_eq!(done.last_id, None, "{kind:?}");
        let none = "DELETE FROM statements_ids WHERE id = 77";
        assert_eq!(test.run(none).await.last_id, None, "{kind:?}");
    }
    let test = Test::with(
        Kind::Sqlite,
        Settings {
            pool: 1,
            ..Settings::default()
        },
    );
    test.table("again", "id INTEGER PRIMARY KEY").await;
    for (sql, id) in [
        ("/* a */ insert INTO again VALUES (5)", Some(5)),
        ("INSERT OR IGNORE INTO again VALUES (5)", None),
        ("REPLACE INTO again VALUES (5)", Some(5)),
        ("SELECT 1", None),
        ("CREATE TABLE inserted (n)", None),
    ] {
        assert_eq!(test.run(sql).await.last_id, id, "{sql}");
    }
    let test = Test::new(Kind::Postgres);
    test.table("statements_serial", "id BIGSERIAL, name TEXT")
        .await;
    let rows = test
        .run("INSERT INTO statements_serial (name) VALUES ('a') RETURNING id")
        .await;
    assert_eq!(rows.rows, [[Value::Int(1)]]);
}

#[tokio::test]
async fn a_statement_with_many_columns_and_rows_comes_whole() {
    for kind in ALL {
        let test = Test::new(kind);
        let columns: Vec<String> = (0..500).map(|n| format!("{n} AS c{n}")).collect();
        let rows = test.run(&format!("SELECT {}", columns.join(", "))).await;
        assert_eq!(rows.columns.len(), 500);
        assert_eq!(rows.rows[0][499], Value::Int(499), "{kind:?}");
        test.table("statements_many", "n INTEGER").await;
        let values: Vec<String> = (0..5_000).map(|n| format!("({n})")).collect();
        test.run(&format!(
            "INSERT INTO statements_many VALUES {}",
            values.join(", ")
        ))
        .await;
        let rows = test
            .run("SELECT n FROM statements_many ORDER BY n")
            .await
            .rows;
        assert!(
            rows.iter()
                .map(|row| &row[0])
                .eq(&(0..5_000).map(Value::Int).collect::<Vec<_>>())
        );
    }
}

#[tokio::test]
async fn a_wrong_number_of_parameters_is_refused_and_the_connection_lives() {
    for kind in ALL {
        let test = Test::new(kind);
        for parameters in [vec![], vec![Value::Int(1)], vec![Value::Int(1); 3]] {
            let given = parameters.len();
            let sql = match kind {
                Kind::Postgres => "SELECT CAST(? AS BIGINT) + CAST(? AS BIGINT)",
                _ => "SELECT ? + ?",
            };
            let error = test.try_run(sql, parameters).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused, "{kind:?}");
            let told = format!(
                "has 2 placeholders ({}",
                if kind == Kind::Postgres { "$1" } else { "?" }
            );
            assert!(
                error.message.contains(&told) && error.message.contains(&format!("given {given} ")),
                "{error}"
            );
        }
        assert_eq!(test.run("SELECT 7").await.rows, [[Value::Int(7)]]);
    }
}

#[tokio::test]
async fn errors_have_the_kinds_that_say_what_to_do() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table(
            "statements_errors",
            "id INTEGER PRIMARY KEY NOT NULL, v VARCHAR(9) NOT NULL",
        )
        .await;
        test.run("INSERT INTO statements_errors VALUES (1, 'a')")
            .await;
        for (sql, expected) in [
            ("SELEKT 1", ErrorKind::Refused),
            ("SELECT * FROM statements_nowhere", ErrorKind::Refused),
            ("", ErrorKind::Refused),
            (
                "INSERT INTO statements_errors VALUES (1, 'b')",
                ErrorKind::Constraint,
            ),
            (
                "INSERT INTO statements_errors VALUES (2, NULL)",
                ErrorKind::Constraint,
            ),
            ("BEGIN", ErrorKind::Refused),
            ("/* x */ commit", ErrorKind::Refused),
        ] {
            match test.try_run(sql, vec![]).await {
                Err(error) => assert_eq!(error.kind, expected, "{kind:?} {sql}: {error}"),
                // To some nothing is something.
                Ok(_) => assert_eq!(sql, "", "{kind:?}"),
            }
        }
        assert_eq!(test.run("SELECT 7").await.rows, [[Value::Int(7)]]);
    }
}

#[tokio::test]
async fn a_statement_is_prepared_anew_when_its_table_has_changed() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("statements_altered", "a INTEGER").await;
        test.run("INSERT INTO statements_altered VALUES (1)").await;
        let select = "SELECT * FROM statements_altered";
        assert_eq!(test.run(select).await.rows, [[Value::Int(1)]]);
        test.run("ALTER TABLE statements_altered ADD COLUMN b INTEGER")
            .await;
        let rows = test.run(select).await;
        assert_eq!(rows.rows, [[Value::Int(1), Value::Null]], "{kind:?}");
        assert_eq!(rows.columns, ["a", "b"]);
    }
}

#[tokio::test]
async fn memory_is_one_database_for_all_statements() {
    let test = Test::new(Kind::Memory);
    test.table("shared", "n INTEGER").await;
    let inserts =
        (0..50).map(|n| test.run_with("INSERT INTO shared VALUES (?)", vec![Value::Int(n)]));
    futures_util::future::join_all(inserts).await;
    assert_eq!(
        test.run("SELECT COUNT(*) FROM shared").await.rows,
        [[Value::Int(50)]]
    );
}
