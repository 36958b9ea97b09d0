//! Where the databases of the tests are.

use std::{
    env,
    fmt::Debug,
    future::Future,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use database::{Database, Error, Rows, Settings, Url, Value};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A kind of database, with what differs between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Memory,
    MySql,
    Postgres,
}

pub(crate) const ALL: [Kind; 4] = [Kind::Sqlite, Kind::Memory, Kind::MySql, Kind::Postgres];

/// A database, and the folder that it needs.
pub(crate) struct Test {
    pub(crate) kind: Kind,
    pub(crate) database: Database,
    _folder: TempDir,
}

impl Test {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with(kind, Settings::default())
    }

    pub(crate) fn with(kind: Kind, settings: Settings) -> Self {
        let folder = TempDir::new().unwrap();
        let database = open(&url(kind), folder.path(), settings);
        Test {
            kind,
            database,
            _folder: folder,
        }
    }

    pub(crate) async fn run(&self, sql: &str) -> Rows {
        self.run_with(sql, Vec::new()).await
    }

    /// Carries out a statement whose placeholders are `?`.
    pub(crate) async fn run_with(&self, sql: &str, parameters: Vec<Value>) -> Rows {
        let result = self.try_run(sql, parameters).await;
        result.unwrap_or_else(|error| panic!("{:?}: {sql}: {error:?}", self.kind))
    }

    pub(crate) async fn try_run(&self, sql: &str, parameters: Vec<Value>) -> Result<Rows, Error> {
        let sql = self.placeholders(sql);
        self.database.admit()?.run(sql, parameters).await
    }

    /// With `$1` instead of `?` where that is so.
    pub(crate) fn placeholders(&self, sql: &str) -> Arc<str> {
        if self.kind != Kind::Postgres {
            return sql.into();
        }
        let mut text = String::new();
        for (index, part) in sql.split('?').enumerate() {
            if index > 0 {
                text.push_str(&format!("${index}"));
            }
            text.push_str(part);
        }
        text.into()
    }

    /// An empty table of this name.
    pub(crate) async fn table(&self, name: &str, columns: &str) {
        self.run(&format!("DROP TABLE IF EXISTS {name}")).await;
        self.run(&format!("CREATE TABLE {name} ({columns})")).await;
    }
}

/// Opens a database, that is, connects to nothing yet.
pub(crate) fn open(url: &str, folder: &Path, settings: Settings) -> Database {
    Database::new(
        Url::parse(url, folder).unwrap(),
        settings,
        Handle::current(),
    )
}

/// Where a database of this kind is.
pub(crate) fn url(kind: Kind) -> String {
    let name = match kind {
        Kind::Sqlite => return "sqlite://test.db".to_owned(),
        Kind::Memory => return "sqlite::memory:".to_owned(),
        Kind::MySql => "REDRABBIT_TEST_MYSQL",
        Kind::Postgres => "REDRABBIT_TEST_POSTGRES",
    };
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start this as tests/servers/run cargo nextest run -p database")
    })
}

/// A server of a test's own, to be killed.
pub(crate) struct Server {
    script: &'static str,
    folder: TempDir,
    port: Option<u16>,
    child: Option<Child>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start(kind: Kind) -> Self {
        let script = match kind {
            Kind::MySql => "mariadb",
            _ => "postgres",
        };
        let folder = TempDir::new().unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let mut server = Server {
            script,
            folder,
            port: None,
            child: None,
            url: String::new(),
        };
        server.revive();
        let (_, rest) = server.url.rsplit_once(':').unwrap();
        server.port = rest.split('/').next().unwrap().parse().ok();
        server.is_up().await;
        server
    }

    /// Starts it, or starts it again at the same place.
    pub(crate) fn revive(&mut self) {
        let scripts: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../tests/servers"]
            .iter()
            .collect();
        let mut command = Command::new(scripts.join(self.script));
        command.arg(self.folder.path().join("server"));
        command.args(self.port.map(|port| port.to_string()));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.contains("://"), "{} has not started", self.script);
        self.url = line.trim().to_owned();
        self.child = Some(child);
    }

    /// Waits until it carries out statements.
    pub(crate) async fn is_up(&self) {
        let database = open(&self.url, Path::new("/"), Settings::default());
        eventually(|| async {
            let slot = database.admit().map_err(|error| error.to_string())?;
            let done = slot.run("SELECT 1".into(), Vec::new()).await;
            done.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// As a power cut would: with PostgreSQL's processes for each connection, which would
    /// answer once more before they notice.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let pid = child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children: Vec<&str> = children.split_whitespace().collect();
        child.kill().unwrap();
        child.wait().unwrap();
        if !children.is_empty() {
            // Some may have gone with it.
            let _ = Command::new("kill")
                .arg("-KILL")
                .args(&children)
                .stderr(Stdio::null())
                .status();
        }
        let give_up = Instant::now() + PATIENCE;
        while children.iter().any(|child| is_alive(child)) {
            assert!(Instant::now() < give_up, "the server does not go");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process is more than a word of its end that nobody has taken yet.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]);
    state.is_some_and(|state| state != "Z")
}

/// Tries until it succeeds.
pub(crate) async fn eventually<T, E: Debug, F: Future<Output = Result<T, E>>>(
    mut attempt: impl FnMut() -> F,
) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < give_up, "still: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
