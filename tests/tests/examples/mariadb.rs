//! A MariaDB of a test's own.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tests::eventually;

use crate::stage::root;

/// It is killed, with all that it has, when this is dropped.
pub(crate) struct MariaDb {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl MariaDb {
    pub(crate) async fn start() -> MariaDb {
        let folder = tempfile::tempdir().unwrap();
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let mut child = Command::new(root().join("tests/servers/mariadb"))
            .arg(folder.path().join("server"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let printed = child.stdout.take().unwrap();
        BufReader::new(printed).read_line(&mut url).unwrap();
        let server = MariaDb {
            child,
            url: url.trim().to_owned(),
            _folder: folder,
        };
        server.takes_connections().await;
        server
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn takes_connections(&self) {
        let (_, place) = self
            .url
            .split_once('@')
            .expect("tests/servers/mariadb says why");
        let (address, _) = place.split_once('/').unwrap();
        eventually("MariaDB takes connections", async || {
            TcpStream::connect(address).ok()
        })
        .await;
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
