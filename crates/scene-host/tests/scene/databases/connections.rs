//! Connections of scripts that are loaded again, idle, stopping, and of a server that dies.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use super::{PROLOGUE, urls};
use crate::stage::{Stage, alone, eventually, log};

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
