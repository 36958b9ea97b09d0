//! All of a transaction, or nothing.

use std::time::Duration;

use database::{ErrorKind, Settings, Transaction, Value};

use crate::servers::{ALL, Kind, Test, eventually};

const LIMIT: Duration = Duration::from_secs(20);

async fn begin(test: &Test) -> Transaction {
    test.database.admit().unwrap().begin(LIMIT).await.unwrap()
}

async fn insert(test: &Test, transaction: &Transaction, table: &str, n: i64) {
    let sql = test.placeholders(&format!("INSERT INTO {table} VALUES (?)"));
    transaction.run(sql, vec![Value::Int(n)]).await.unwrap();
}

async fn held(test: &Test, table: &str) -> Vec<Vec<Value>> {
    test.run(&format!("SELECT n FROM {table} ORDER BY n"))
        .await
        .rows
}

#[tokio::test]
async fn what_is_committed_stays_and_what_is_rolled_back_was_never_there() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("transactions_ends", "n INTEGER").await;
        let kept = begin(&test).await;
        insert(&test, &kept, "transactions_ends", 1).await;
        kept.commit().await.unwrap();
        let undone = begin(&test).await;
        insert(&test, &undone, "transactions_ends", 2).await;
        undone.roll_back().await;
        let forgotten = begin(&test).await;
        insert(&test, &forgotten, "transactions_ends", 3).await;
        drop(forgotten);
        assert_eq!(
            held(&test, "transactions_ends").await,
            [[Value::Int(1)]],
            "{kind:?}"
        );
        // It has ended, whichever way.
        for ended in [kept, undone] {
            let error = ended.run("SELECT 1".into(), vec![]).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused);
            assert!(ended.commit().await.is_err());
            ended.roll_back().await;
        }
    }
}

#[tokio::test]
async fn a_statement_that_is_given_up_undoes_its_transaction() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("transactions_cancelled", "n INTEGER").await;
        let transaction = begin(&test).await;
        insert(&test, &transaction, "transactions_cancelled", 1).await;
        let slow = transaction.run(slow(kind).into(), vec![]);
        let cancelled = tokio::time::timeout(Duration::from_millis(50), slow).await;
        assert!(cancelled.is_err(), "{kind:?}");
        transaction.roll_back().await;
        assert!(
            held(&test, "transactions_cancelled").await.is_empty(),
            "{kind:?}"
        );
        let again = begin(&test).await;
        insert(&test, &again, "transactions_cancelled", 2).await;
        again.commit().await.unwrap();
        assert_eq!(
            held(&test, "transactions_cancelled").await,
            [[Value::Int(2)]]
        );
    }
}

/// A statement that takes a minute.
fn slow(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite | Kind::Memory => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
             SELECT COUNT(*) FROM n"
        }
        Kind::MySql => "SELECT SLEEP(60)",
        Kind::Postgres => "SELECT pg_sleep(60)",
    }
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_rolled_back() {
    for kind in ALL {
        let test = Test::new(kind);
        test.table("transactions_long", "n INTEGER").await;
        let limit = Duration::from_millis(100);
        let transaction = test.database.admit().unwrap().begin(limit).await.unwrap();
        insert(&test, &transaction, "transactions_long", 1).await;
        // Memory's only connection is the transaction's until then.
        assert!(
            held(&test, "transactions_long").await.is_empty(),
            "{kind:?}"
        );
        let error = eventually(|| async {
            match transaction.run("SELECT 1".into(), vec![]).await {
                Ok(_) => Err("it goes on"),
                Err(error) => Ok(error),
            }
        })
        .await;
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{kind:?}");
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{kind:?}");
    }
}

#[tokio::test]
async fn a_statement_that_is_under_way_at_the_end_of_the_time_is_not_blamed_for_it() {
    for (kind, sleeps) in [
        (Kind::MySql, "SELECT SLEEP(3)"),
        (Kind::Postgres, "SELECT pg_sleep(3)"),
    ] {
        let test = Test::new(kind);
        let limit = Duration::from_millis(100);
        let transaction = test.database.admit().unwrap().begin(limit).await.unwrap();
        let error = transaction.run(sleeps.into(), vec![]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{kind:?}");
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{kind:?}: {error}");
    }
}

#[tokio::test]
async fn postgres_does_not_commit_what_has_had_an_error() {
    let test = Test::new(Kind::Postgres);
    test.table("transactions_failed", "n INTEGER").await;
    let transaction = begin(&test).await;
    insert(&test, &transaction, "transactions_failed", 1).await;
    transaction.run("SAVEPOINT a".into(), vec![]).await.unwrap();
    transaction.run("SELEKT".into(), vec![]).await.unwrap_err();
    transaction
        .run("ROLLBACK TO a".into(), vec![])
        .await
        .unwrap();
    insert(&test, &transaction, "transactions_failed", 2).await;
    transaction.commit().await.unwrap();
    let transaction = begin(&test).await;
    insert(&test, &transaction, "transactions_failed", 3).await;
    transaction.run("SELEKT".into(), vec![]).await.unwrap_err();
    let error = transaction.commit().await.unwrap_err();
    assert!(error.message.contains("undone"), "{error}");
    assert_eq!(
        held(&test, "transactions_failed").await,
        [[Value::Int(1)], [Value::Int(2)]]
    );
}

#[tokio::test]
async fn a_deadlock_is_a_conflict_and_nothing_of_its_victim_stays() {
    for kind in [Kind::MySql, Kind::Postgres] {
        let test = Test::new(kind);
        test.table("transactions_deadlock", "n INTEGER PRIMARY KEY, v INTEGER")
            .await;
        test.run("INSERT INTO transactions_deadlock VALUES (1, 0), (2, 0)")
            .await;
        let (one, two) = (begin(&test).await, begin(&test).await);
        let add = |n: i64| format!("UPDATE transactions_deadlock SET v = v + 1 WHERE n = {n}");
        one.run(add(1).into(), vec![]).await.unwrap();
        two.run(add(2).into(), vec![]).await.unwrap();
        let (first, second) = tokio::join!(
            one.run(add(2).into(), vec![]),
            two.run(add(1).into(), vec![])
        );
        let (victim, error, winner) = match (first, second) {
            (Err(error), Ok(_)) => (one, error, two),
            (Ok(_), Err(error)) => (two, error, one),
            other => panic!("{kind:?}: {other:?}"),
        };
        assert_eq!(error.kind, ErrorKind::Conflict, "{kind:?}: {error}");
        // MySQL would carry this out by itself.
        let error = victim.run(add(1).into(), vec![]).await.unwrap_err();
        assert!(error.message.contains("undone"), "{error}");
        victim.roll_back().await;
        winner.commit().await.unwrap();
        let rows = test
            .run("SELECT v FROM transactions_deadlock ORDER BY n")
            .await
            .rows;
        assert_eq!(rows, [[Value::Int(1)], [Value::Int(1)]], "{kind:?}");
    }
}

#[tokio::test]
async fn writers_of_one_sqlite_file_wait_for_each_other() {
    let test = Test::with(
        Kind::Sqlite,
        Settings {
            timeout: Duration::from_secs(20),
            ..Settings::default()
        },
    );
    test.table("counter", "n INTEGER").await;
    test.run("INSERT INTO counter VALUES (0)").await;
    let add = async || {
        let transaction = begin(&test).await;
        let rows = transaction
            .run("SELECT n FROM counter".into(), vec![])
            .await
            .unwrap()
            .rows;
        let Value::Int(n) = rows[0][0] else {
            panic!("{rows:?}")
        };
        let sql = "UPDATE counter SET n = ?";
        transaction
            .run(sql.into(), vec![Value::Int(n + 1)])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    };
    futures_util::future::join_all((0..20).map(|_| add())).await;
    assert_eq!(
        test.run("SELECT n FROM counter").await.rows,
        [[Value::Int(20)]]
    );
}

#[tokio::test]
async fn what_sqlite_has_rolled_back_by_itself_takes_nothing_more() {
    for kind in [Kind::Sqlite, Kind::Memory] {
        let test = Test::new(kind);
        test.table("rolled_back", "n INTEGER PRIMARY KEY").await;
        test.run(
            "CREATE TRIGGER no_13 BEFORE INSERT ON rolled_back WHEN NEW.n = 13 \
             BEGIN SELECT RAISE(ROLLBACK, 'no 13'); END",
        )
        .await;
        for undoing in [
            "INSERT OR ROLLBACK INTO rolled_back VALUES (1)",
            "INSERT INTO rolled_back VALUES (13)",
        ] {
            let transaction = begin(&test).await;
            insert(&test, &transaction, "rolled_back", 1).await;
            let error = transaction.run(undoing.into(), vec![]).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Constraint, "{error}");
            // SQLite would carry this out by itself.
            let next = "INSERT INTO rolled_back VALUES (2)";
            let error = transaction.run(next.into(), vec![]).await.unwrap_err();
            assert!(error.message.contains("undone"), "{error}");
            let error = transaction.commit().await.unwrap_err();
            assert!(error.message.contains("undone"), "{error}");
            assert!(held(&test, "rolled_back").await.is_empty());
        }
        // An error that undoes its statement alone does not end a transaction.
        let transaction = begin(&test).await;
        insert(&test, &transaction, "rolled_back", 1).await;
        let again = "INSERT INTO rolled_back VALUES (1)";
        transaction.run(again.into(), vec![]).await.unwrap_err();
        insert(&test, &transaction, "rolled_back", 2).await;
        transaction.commit().await.unwrap();
        assert_eq!(
            held(&test, "rolled_back").await,
            [[Value::Int(1)], [Value::Int(2)]]
        );
    }
}

#[tokio::test]
async fn what_is_asked_of_a_transaction_is_done_in_that_order() {
    let test = Test::new(Kind::Memory);
    test.table("asked", "n INTEGER").await;
    let transaction = begin(&test).await;
    let first = transaction.run("INSERT INTO asked VALUES (1)".into(), vec![]);
    let second = transaction.run("SELECT n FROM asked".into(), vec![]);
    let committed = transaction.commit();
    // Polled the other way round.
    let (committed, second, first) = tokio::join!(committed, second, first);
    first.unwrap();
    assert_eq!(second.unwrap().rows, [[Value::Int(1)]]);
    committed.unwrap();
    assert_eq!(held(&test, "asked").await, [[Value::Int(1)]]);
}

#[tokio::test]
async fn nobody_watches_a_transaction_that_has_ended() {
    let test = Test::new(Kind::Memory);
    test.run("SELECT 1").await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..10 {
        begin(&test).await.commit().await.unwrap();
        begin(&test).await.roll_back().await;
        drop(begin(&test).await);
    }
    eventually(|| async {
        match tasks() {
            now if now <= before => Ok(()),
            _ => Err("tasks are left"),
        }
    })
    .await;
}
