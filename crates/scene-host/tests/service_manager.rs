//! What a service manager hears of a scene whose script holds its loop up.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Child, Command},
    time::{Duration, Instant},
};

/// Blocks its loop a moment after it was loaded, for five seconds.
const SCRIPT: &str = "\
import time
import ffext

def block():
    open('blocked', 'w').close()
    time.sleep(5)
    open('runs', 'w').close()

ffext.once_timer(300, block)
";

const TOPOLOGY: &str = "\
group = \"GroupA\"
[master]
listen = \"127.0.0.1:1\"
[scenes.\"scene@0\"]
script = \"main.py\"
";

/// What nothing here takes as long as.
const SOON: Duration = Duration::from_secs(60);

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_script_that_blocks_its_loop_is_not_told_to_be_alive() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("main.py"), SCRIPT).unwrap();
    fs::write(path("topology.toml"), TOPOLOGY).unwrap();
    let socket = UnixDatagram::bind(path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_scene-host"))
        .args(["--topology", "topology.toml", "--name", "scene@0"])
        .current_dir(folder.path())
        .env("NOTIFY_SOCKET", path("notify"))
        .env("WATCHDOG_USEC", "200000")
        .env("STATE_DIRECTORY", folder.path())
        .spawn();
    let _running = Running(command.unwrap());

    // When it was last told to be alive, and for how long it was not.
    let begun = Instant::now();
    let (mut last, mut longest) = (None, Duration::ZERO);
    let mut is_alive_again = false;
    while !is_alive_again {
        assert!(
            begun.elapsed() < SOON,
            "blocked: {}, {longest:?}",
            path("blocked").exists()
        );
        let mut message = [0; 4096];
        let Ok(length) = socket.recv(&mut message) else {
            continue;
        };
        if message[..length].starts_with(b"WATCHDOG=1") {
            let now = Instant::now();
            longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
            last = Some(now);
            is_alive_again = path("runs").exists();
        }
    }
    // Two seconds pass before it counts as stuck.
    assert!(longest > Duration::from_millis(2500), "{longest:?}");
}
