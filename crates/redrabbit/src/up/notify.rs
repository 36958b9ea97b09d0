//! The ear of a service manager: hears a child say that it is ready, in the
//! protocol of sd_notify(3).

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;
use tokio::net::UnixDatagram;

/// Hears one child, from before it starts until it is ready. The socket is a
/// file in a folder that only this user can enter; both are gone as soon as
/// this is dropped, so that nothing is left behind by a group that is up and
/// then killed.
#[derive(Debug)]
pub(super) struct ReadyEar {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
}

/// The longest message that is read; sd_notify(3) sends far shorter ones.
const LONGEST: usize = 4096;

impl ReadyEar {
    /// Begins to listen.
    ///
    /// # Errors
    /// When no socket can be made in the folder for temporary files.
    pub(super) fn open() -> io::Result<ReadyEar> {
        let folder = tempfile::Builder::new()
            .prefix("redrabbit-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let path = folder.path().join("notify");
        Ok(ReadyEar {
            socket: UnixDatagram::bind(&path)?,
            path,
            _folder: folder,
        })
    }

    /// What the child's `NOTIFY_SOCKET` is to be.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Waits until the child says that it is ready.
    ///
    /// # Errors
    /// When the socket breaks; the child can then not be heard any more.
    pub(super) async fn ready(&self) -> io::Result<()> {
        let mut message = [0; LONGEST];
        loop {
            let length = self.socket.recv(&mut message).await?;
            if says_ready(&message[..length]) {
                return Ok(());
            }
        }
    }
}

/// Whether one of a message's lines is `READY=1`.
fn says_ready(message: &[u8]) -> bool {
    message
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_a_line_of_its_own() {
        assert!(says_ready(b"READY=1"));
        assert!(says_ready(b"STATUS=up\nREADY=1\n"));
        assert!(!says_ready(b"STATUS=not READY=1"));
        assert!(!says_ready(b"READY=10\n"));
        assert!(!says_ready(b"\xff\x00"));
        assert!(!says_ready(b""));
    }

    #[tokio::test]
    async fn what_is_said_before_ready_is_passed_over() {
        let ear = ReadyEar::open().unwrap();
        let child = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for message in ["STATUS=starting\n", "WATCHDOG=1\n", "READY=1\n"] {
            child.send_to(message.as_bytes(), ear.path()).unwrap();
        }
        ear.ready().await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_left_of_it_on_disk() {
        let ear = ReadyEar::open().unwrap();
        let folder = ear.path().parent().unwrap().to_owned();
        assert!(folder.exists());
        drop(ear);
        assert!(!folder.exists());
    }
}
