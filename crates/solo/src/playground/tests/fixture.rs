//! A playground over a played scene, and a client that sends just the headers
//! that it is told to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::playground::{Backend, Checked, Playground, Problem, Reloaded, Status};

pub(super) const DEADLINE: Duration = Duration::from_secs(10);
pub(super) const SOURCE: &str = "print('loading')\n";

/// A scene that takes every source that does not say `mistake`.
struct PlayedScene {
    path: PathBuf,
    status: watch::Sender<Status>,
}

impl Backend for PlayedScene {
    fn websocket_port(&self) -> u16 {
        10243
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    fn script_path(&self) -> &Path {
        &self.path
    }

    fn check(&self, source: String) -> Checked<'_> {
        Box::pin(async move {
            let Some(line) = source.lines().position(|line| line.contains("mistake")) else {
                return Ok(());
            };
            Err(Problem {
                line: u32::try_from(line).unwrap() + 1,
                column: 3,
                message: "invalid syntax".into(),
            })
        })
    }

    fn reload(&self) -> Option<Reloaded<'_>> {
        Some(Box::pin(async {
            self.status.send_modify(|status| status.version += 1);
        }))
    }
}

/// A running playground; its script is in a folder of its own.
pub(super) struct Running {
    pub(super) port: u16,
    pub(super) token: String,
    pub(super) script: PathBuf,
    pub(super) status: watch::Sender<Status>,
    pub(super) shutdown: CancellationToken,
    pub(super) served: JoinHandle<std::io::Result<()>>,
    folder: tempfile::TempDir,
}

impl Running {
    pub(super) async fn start() -> Running {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("main.py");
        std::fs::write(&script, SOURCE).unwrap();
        let status = watch::Sender::new(Status::default());
        let scene = PlayedScene {
            path: script.clone(),
            status: status.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let playground = Playground::build(listener, Arc::new(scene)).unwrap();
        let start = format!("http://127.0.0.1:{port}/#token=");
        let token = playground
            .address()
            .strip_prefix(&start)
            .unwrap()
            .to_owned();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(playground.serve(shutdown.clone()));
        Running {
            port,
            token,
            script,
            status,
            shutdown,
            served,
            folder,
        }
    }

    /// A request as our own page sends it.
    pub(super) fn request(&self, method: &str, path: &str) -> Request {
        Request {
            port: self.port,
            line: format!("{method} {path} HTTP/1.1"),
            headers: vec![("Host".into(), format!("127.0.0.1:{}", self.port))],
            body: Vec::new(),
        }
    }

    pub(super) fn with_token(&self, method: &str, path: &str) -> Request {
        self.request(method, path)
            .header("Authorization", &format!("Bearer {}", self.token))
    }

    /// What is in the script's folder: the script alone, unless something was left.
    pub(super) fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }

    pub(super) fn written(&self) -> String {
        std::fs::read_to_string(&self.script).unwrap()
    }
}

pub(super) struct Request {
    port: u16,
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn host(mut self, host: &str) -> Request {
        self.headers.retain(|(name, _)| name != "Host");
        self.header("Host", host)
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// Sends the request and leaves the connection open.
    pub(super) async fn open(mut self) -> TcpStream {
        let body = std::mem::take(&mut self.body);
        let mut stream = self.announce(body.len()).await;
        // Whoever is refused may be hung up on before the whole body is sent.
        let _ = stream.write_all(&body).await;
        stream
    }

    /// Sends the head of a request with a body of that size, and no body.
    pub(super) async fn announce(self, size: usize) -> TcpStream {
        let mut text = self.line;
        for (name, value) in self.headers {
            text += &format!("\r\n{name}: {value}");
        }
        text += &format!("\r\nContent-Length: {size}\r\n\r\n");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    pub(super) async fn send(self) -> Answer {
        let mut stream = self.header("Connection", "close").open().await;
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
        assert!(read.is_ok(), "no answer in time");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.into(),
        }
    }
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
