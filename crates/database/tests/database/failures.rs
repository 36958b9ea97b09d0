//! A database that goes away and comes back costs errors, and no more.

use std::{path::Path, time::Duration};

use database::{ErrorKind, Settings, Value};

use crate::servers::{Kind, Server, eventually, open};

#[tokio::test]
async fn a_server_that_is_killed_costs_errors_until_it_is_back() {
    for kind in [Kind::MySql, Kind::Postgres] {
        let mut server = Server::start(kind).await;
        let settings = Settings {
            timeout: Duration::from_secs(3),
            ..Settings::default()
        };
        let database = open(&server.url, Path::new("/"), settings);
        let run = async |sql: &str| database.admit()?.run(sql.into(), vec![]).await;
        run("SELECT 7").await.unwrap();
        let transaction = database
            .admit()
            .unwrap()
            .begin(Duration::from_secs(60))
            .await
            .unwrap();
        transaction.run("SELECT 1".into(), vec![]).await.unwrap();

        server.kill();
        let error = transaction
            .run("SELECT 1".into(), vec![])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{kind:?}: {error}");
        assert!(transaction.commit().await.is_err());
        for _ in 0..20 {
            let error = run("SELECT 7").await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable, "{kind:?}: {error}");
        }

        server.revive();
        let rows = eventually(|| run("SELECT 7")).await;
        assert_eq!(rows.rows, [[Value::Int(7)]]);
        for _ in 0..20 {
            run("SELECT 7").await.unwrap();
        }
    }
}

#[tokio::test]
async fn connections_that_died_while_idle_are_not_used() {
    for kind in [Kind::MySql, Kind::Postgres] {
        let mut server = Server::start(kind).await;
        let database = open(&server.url, Path::new("/"), Settings::default());
        let run = async || database.admit()?.run("SELECT 7".into(), vec![]).await;
        // Several connections.
        futures_util::future::join_all((0..8).map(|_| run())).await;
        server.kill();
        server.revive();
        server.is_up().await;
        // They are tested once they have been idle for a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for _ in 0..20 {
            assert_eq!(run().await.unwrap().rows, [[Value::Int(7)]], "{kind:?}");
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_told_at_once() {
    for url in ["mysql://u:p@127.0.0.1:1/d", "postgres://u:p@127.0.0.1:1/d"] {
        let database = open(url, Path::new("/"), Settings::default());
        let begun = std::time::Instant::now();
        let error = database
            .admit()
            .unwrap()
            .run("SELECT 1".into(), vec![])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{url}");
    }
    let database = open(
        "sqlite:///nowhere/at/all.db",
        Path::new("/"),
        Settings::default(),
    );
    let error = database
        .admit()
        .unwrap()
        .run("SELECT 1".into(), vec![])
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("/nowhere/at/all.db"), "{error}");
}

#[tokio::test]
async fn who_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for scheme in ["mysql", "postgres"] {
        let url = format!("{scheme}://u:p@127.0.0.1:{port}/d");
        let settings = Settings {
            timeout: Duration::from_millis(200),
            ..Settings::default()
        };
        let database = open(&url, Path::new("/"), settings);
        let error = database
            .admit()
            .unwrap()
            .run("SELECT 1".into(), vec![])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{error}");
    }
}

#[tokio::test]
async fn both_forms_of_a_url_reach_the_same_database() {
    let usual = crate::servers::url(Kind::MySql);
    let (login, rest) = usual
        .strip_prefix("mysql://")
        .unwrap()
        .split_once('@')
        .unwrap();
    let (place, name) = rest.split_once('/').unwrap();
    let older = format!("mysql://{place}/{}/{name}", login.replace(':', "/"));
    let database = open(&older, Path::new("/"), Settings::default());
    let rows = database
        .admit()
        .unwrap()
        .run("SELECT DATABASE()".into(), vec![])
        .await
        .unwrap();
    assert_eq!(rows.rows, [[Value::Text(name.to_owned())]]);
}
