//! What a statement may take, and what becomes of those that take more.

use std::time::{Duration, Instant};

use database::{Database, Databases, ErrorKind, Settings, Url, Value};
use futures_util::future::join_all;

use crate::servers::{ALL, Kind, Test};

/// A statement that takes a minute.
fn slow(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite | Kind::Memory => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
             SELECT COUNT(*) FROM n"
        }
        Kind::MySql => "SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b",
        Kind::Postgres => "SELECT pg_sleep(60)",
    }
}

#[tokio::test]
async fn a_statement_over_its_time_ends_there_and_here() {
    for kind in ALL {
        let timeout = Duration::from_secs(1);
        let test = Test::with(
            kind,
            Settings {
                timeout,
                pool: 1,
                ..Settings::default()
            },
        );
        if matches!(kind, Kind::Sqlite | Kind::Memory) {
            test.table("limits_kept", "n INTEGER").await;
        } else {
            // Servers may take longer for that than a statement has here.
            Test::new(kind).table("limits_kept", "n INTEGER").await;
        }
        let begun = Instant::now();
        let error = test.try_run(slow(kind), vec![]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{kind:?}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{kind:?}");
        // The pool of one has a connection again, and memory is still there.
        let rows = test.run("SELECT COUNT(*) FROM limits_kept").await.rows;
        assert_eq!(rows, [[Value::Int(0)]], "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_is_not_left_with_a_statement_that_nobody_waits_for() {
    for (kind, running) in [
        (
            Kind::MySql,
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%limits left%' AND info NOT LIKE '%processlist%'",
        ),
        (
            Kind::Postgres,
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%limits left%' AND query NOT LIKE '%pg_stat%'",
        ),
    ] {
        let timeout = Duration::from_millis(400);
        let test = Test::with(
            kind,
            Settings {
                timeout,
                ..Settings::default()
            },
        );
        let sql = format!("{} /* limits left */", slow(kind));
        let given_up =
            tokio::time::timeout(Duration::from_millis(100), test.try_run(&sql, vec![])).await;
        assert!(given_up.is_err());
        let other = Test::new(kind);
        crate::servers::eventually(|| async {
            let rows = other.run(running).await.rows;
            if rows == [[Value::Int(0)]] {
                Ok(())
            } else {
                Err(rows)
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_row_of_64_mb_is_too_large_and_harms_nothing() {
    for kind in ALL {
        let timeout = Duration::from_secs(30);
        let test = Test::with(
            kind,
            Settings {
                timeout,
                ..Settings::default()
            },
        );
        let sql = match kind {
            Kind::Sqlite | Kind::Memory => "SELECT zeroblob(67108864)",
            Kind::MySql | Kind::Postgres => "SELECT REPEAT('x', 67108864)",
        };
        let error = test.try_run(sql, vec![]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge, "{kind:?}: {error}");
        assert_eq!(
            test.run("SELECT 7").await.rows,
            [[Value::Int(7)]],
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn many_small_rows_are_too_large_as_well() {
    for kind in ALL {
        let settings = Settings {
            result_bytes: 1 << 20,
            timeout: Duration::from_secs(30),
            ..Settings::default()
        };
        let test = Test::with(kind, settings);
        test.table("limits_rows", "n INTEGER").await;
        let ten = "INSERT INTO limits_rows VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)";
        test.run(ten).await;
        let all = "FROM limits_rows a, limits_rows b, limits_rows c, limits_rows d, limits_rows e";
        let error = test
            .try_run(&format!("SELECT a.n {all}"), vec![])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge, "{kind:?}: {error}");
        let rows = test.run(&format!("SELECT COUNT(*) {all}")).await.rows;
        assert_eq!(rows, [[Value::Int(100_000)]], "{kind:?}");
    }
}

#[tokio::test]
async fn of_100_000_statements_at_once_a_bounded_number_waits_and_the_rest_is_refused() {
    for kind in ALL {
        let timeout = Duration::from_secs(60);
        let test = Test::with(
            kind,
            Settings {
                timeout,
                ..Settings::default()
            },
        );
        let limit = test.database.settings().waiting;
        let slots: Vec<_> = (0..100_000).map(|_| test.database.admit()).collect();
        let (admitted, refused): (Vec<_>, Vec<_>) = slots.into_iter().partition(Result::is_ok);
        assert_eq!((admitted.len(), refused.len()), (limit, 100_000 - limit));
        for refusal in refused {
            assert_eq!(refusal.unwrap_err().kind, ErrorKind::Overloaded);
        }
        let runs = admitted
            .into_iter()
            .map(|slot| tokio::spawn(slot.unwrap().run("SELECT 7".into(), vec![])));
        let results = join_all(runs).await;
        assert!(
            results
                .into_iter()
                .all(|rows| rows.unwrap().unwrap().rows == [[Value::Int(7)]]),
            "{kind:?}"
        );
        // All places are free again.
        assert_eq!(test.run("SELECT 7").await.rows, [[Value::Int(7)]]);
    }
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told() {
    for kind in ALL {
        let timeout = Duration::from_secs(1);
        let test = Test::with(
            kind,
            Settings {
                pool: 1,
                timeout,
                ..Settings::default()
            },
        );
        let held = test
            .database
            .admit()
            .unwrap()
            .begin(Duration::from_secs(20))
            .await
            .unwrap();
        let error = test.try_run("SELECT 7", vec![]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        assert!(error.message.contains("busy"), "{kind:?}: {error}");
        held.commit().await.unwrap();
        assert_eq!(test.run("SELECT 7").await.rows, [[Value::Int(7)]]);
    }
}

#[tokio::test]
async fn a_closed_database_takes_nothing_and_ends_who_waits() {
    for kind in ALL {
        let test = Test::with(
            kind,
            Settings {
                pool: 1,
                ..Settings::default()
            },
        );
        let held = test
            .database
            .admit()
            .unwrap()
            .begin(Duration::from_secs(20))
            .await
            .unwrap();
        let waits = tokio::spawn(
            test.database
                .admit()
                .unwrap()
                .run("SELECT 7".into(), vec![]),
        );
        tokio::task::yield_now().await;
        test.database.close().await;
        assert_eq!(
            waits.await.unwrap().unwrap_err().kind,
            ErrorKind::Unavailable
        );
        assert_eq!(
            test.database.admit().unwrap_err().kind,
            ErrorKind::Unavailable
        );
        // What runs goes on to its end.
        held.run("SELECT 7".into(), vec![]).await.unwrap();
        held.commit().await.unwrap();
    }
}

#[tokio::test]
async fn one_connection_carries_statements_out_in_the_order_in_which_they_were_admitted() {
    for kind in ALL {
        let test = Test::with(
            kind,
            Settings {
                pool: 1,
                ..Settings::default()
            },
        );
        test.table("limits_order", "n INTEGER").await;
        let slots: Vec<_> = (0..200)
            .map(|n| (n, test.database.admit().unwrap()))
            .collect();
        let last = "SELECT COALESCE(MAX(n), -1) FROM limits_order";
        let runs = slots.into_iter().rev().map(|(n, slot)| {
            let sql = format!(
                "INSERT INTO limits_order SELECT {n} WHERE ({last}) = {}",
                n - 1
            );
            tokio::spawn(slot.run(sql.into(), vec![]))
        });
        for run in join_all(runs).await {
            run.unwrap().unwrap();
        }
        assert_eq!(test.run(last).await.rows, [[Value::Int(199)]], "{kind:?}");
    }
}

#[tokio::test]
async fn results_that_nobody_takes_do_not_pile_up() {
    let settings = Settings {
        timeout: Duration::from_secs(3),
        ..Settings::default()
    };
    let test = Test::with(Kind::Sqlite, settings);
    let runs = (0..12).map(|_| test.try_run("SELECT zeroblob(31457280)", vec![]));
    let results = join_all(runs).await;
    let (held, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (8, 4));
    for refusal in refused {
        let error = refusal.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        assert!(error.message.contains("not taken"), "{error}");
    }
    drop(held);
    test.run("SELECT zeroblob(31457280)").await;
}

#[tokio::test]
async fn a_database_that_is_opened_twice_is_one_as_long_as_it_is_used() {
    let (databases, folder) = (Databases::default(), std::path::Path::new("/"));
    let open = |url: &str, settings: Settings| {
        let url = Url::parse(url, folder).unwrap();
        databases.open(url, settings, &tokio::runtime::Handle::current())
    };
    let settings = Settings::default();
    let run = async |database: &Database, sql: &str| {
        database.admit().unwrap().run(sql.into(), vec![]).await
    };
    let one = open("sqlite::memory:", settings.clone());
    run(&one, "CREATE TABLE a (n INTEGER)").await.unwrap();
    let two = open("sqlite::memory:", settings.clone());
    run(&two, "SELECT * FROM a").await.unwrap();
    let other = open(
        "sqlite::memory:",
        Settings {
            pool: 2,
            ..settings.clone()
        },
    );
    run(&other, "SELECT * FROM a").await.unwrap_err();
    drop((one, two));
    let new = open("sqlite::memory:", settings.clone());
    run(&new, "SELECT * FROM a").await.unwrap_err();
    databases.close().await;
    assert!(new.is_closed() && other.is_closed());
    let after = open("sqlite::memory:", settings);
    run(&after, "SELECT 1").await.unwrap();
}
