//! A terminal for a command: what it writes is read, and it is typed to.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};
use tokio::process::{Child, Command};

use crate::group::SOON;

pub(crate) struct Terminal {
    ours: File,
    theirs: OwnedFd,
    written: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
    before: Termios,
}

impl Terminal {
    pub(crate) fn new(columns: u16, rows: u16) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = open(
            &name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&theirs, size).unwrap();
        let ours = File::from(ours);
        let written = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let (mut reader, kept) = (ours.try_clone().unwrap(), Arc::clone(&written));
        let is_closed = Arc::clone(&closed);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer)
                && !is_closed.load(Ordering::Relaxed)
            {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Terminal {
            before: tcgetattr(&theirs).unwrap(),
            ours,
            theirs,
            written,
            closed,
        }
    }

    pub(crate) fn run(&self, args: &[&str], topology: &Path) -> Child {
        let end = || self.theirs.as_fd().try_clone_to_owned().unwrap();
        Command::new(env!("CARGO_BIN_EXE_redrabbit"))
            .args(args)
            .arg("--topology")
            .arg(topology)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Closes the window, as it were: what is written next meets nobody.
    pub(crate) fn hang_up(self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until this has been written, since it was waited for something before.
    pub(crate) async fn shows(&self, text: &str) {
        let begun = Instant::now();
        loop {
            {
                let mut written = self.written.lock().unwrap();
                let seen = String::from_utf8_lossy(&written).into_owned();
                if let Some(at) = seen.find(text) {
                    *written = seen.as_bytes()[at + text.len()..].to_vec();
                    return;
                }
                assert!(begun.elapsed() < SOON, "never shown: {text:?} in {seen:?}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Its lines are edited, and what is typed is shown, as before.
    pub(crate) fn is_as_before(&self) -> bool {
        let now = tcgetattr(&self.theirs).unwrap();
        now.local_modes == self.before.local_modes
            && now.input_modes == self.before.input_modes
            && now.output_modes == self.before.output_modes
    }
}
