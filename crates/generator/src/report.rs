//! Where it is said that something is wrong.
//!
//! At boot a generator runs before the journal does, and what it prints goes nowhere: the
//! kernel's log is what the journal reads later. After boot there is the journal, also
//! where the kernel's log is nobody's, as in a container.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, OpenOptionsExt as _},
        net::UnixDatagram,
    },
};

use rustix::fs::OFlags;

const JOURNAL: &str = "/run/systemd/journal/socket";
const KERNEL_LOG: &str = "/dev/kmsg";

/// Who speaks.
const NAME: &str = "redrabbit-generator";

/// As long as a line of the kernel's log may well be.
const LONGEST: usize = 800;

/// Where lines go. What cannot be said is not said: nothing ever waits or fails for it.
#[derive(Debug)]
pub struct Report(Sink);

#[derive(Debug)]
enum Sink {
    /// To a person, a test, or whoever catches it.
    Stderr,
    Journal(UnixDatagram),
    Kernel(File),
}

/// How bad it is, as syslog counts.
#[derive(Clone, Copy)]
enum Level {
    Warning = 4,
    Info = 6,
}

impl Report {
    /// Opens the journal, or the kernel's log, or stderr; only the last if somebody looks at
    /// it, or `is_trial`.
    pub fn open(is_trial: bool) -> Report {
        if is_trial || io::stderr().is_terminal() {
            return Report(Sink::Stderr);
        }
        let sink = journal().map(Sink::Journal);
        let sink = sink.or_else(|_| kernel_log().map(Sink::Kernel));
        Report(sink.unwrap_or(Sink::Stderr))
    }

    /// Something is wrong.
    pub fn warn(&self, text: &str) {
        self.say(Level::Warning, text);
    }

    /// Somebody may want to know.
    pub fn info(&self, text: &str) {
        self.say(Level::Info, text);
    }

    fn say(&self, level: Level, text: &str) {
        let text = line(text);
        let priority = level as u8;
        let said = match &self.0 {
            Sink::Stderr => writeln!(io::stderr(), "{NAME}: {text}"),
            Sink::Journal(socket) => {
                let message =
                    format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={NAME}\nMESSAGE={text}\n");
                socket.send(message.as_bytes()).map(drop)
            }
            // One write is one line there.
            Sink::Kernel(file) => {
                let pid = std::process::id();
                (&*file).write_all(format!("<{priority}>{NAME}[{pid}]: {text}\n").as_bytes())
            }
        };
        drop(said);
    }
}

fn journal() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(JOURNAL)?;
    Ok(socket)
}

fn kernel_log() -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(KERNEL_LOG)?;
    // In some containers it is a pipe that nobody reads.
    match file.metadata()?.file_type().is_char_device() {
        true => Ok(file),
        false => Err(io::Error::other("not the kernel's log")),
    }
}

/// The text in one line, and not too long.
fn line(text: &str) -> String {
    let mut line = text.replace(char::is_control, " ");
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_and_not_too_long() {
        assert_eq!(line("a\nPRIORITY=0\tb"), "a PRIORITY=0 b");
        let long = line(&"ß".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST / 2 + 1);
        assert!(long.ends_with('…'));
    }
}
