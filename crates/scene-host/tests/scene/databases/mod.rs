//! Scripts ask databases: real ones, of every kind.

mod bounds;
mod connections;
mod queries;
mod secrecy;
mod values;

use std::env;

use crate::stage::{Stage, log};

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
