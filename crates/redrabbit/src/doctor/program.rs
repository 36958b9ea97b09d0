//! Other programs, asked for what they know, and not waited for without an end.

use std::{
    ffi::OsStr,
    io::{self, Read},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What a program has said, and whether it was content.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) good: bool,
    pub(super) out: String,
    pub(super) error: String,
}

/// One of the two ways in which it speaks.
enum Said {
    Out(String),
    Error(String),
}

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of what it says is heard.
const MOST: u64 = 1 << 16;

/// Runs it.
///
/// # Errors
/// It is not there, or has not ended in time.
pub(super) fn ask(program: impl AsRef<OsStr>, args: &[&OsStr]) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (said_tx, said_rx) = mpsc::sync_channel(2);
    hear(child.stdout.take(), Said::Out, said_tx.clone())?;
    hear(child.stderr.take(), Said::Error, said_tx)?;
    let (mut out, mut error) = (String::new(), String::new());
    let deadline = Instant::now() + PATIENCE;
    // Both are silent when it has ended.
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(Instant::now());
        match said_rx.recv_timeout(left) {
            Ok(Said::Out(text)) => out = text,
            Ok(Said::Error(text)) => error = text,
            Err(_) => {
                child.kill()?;
                child.wait()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
    let good = child.wait()?.success();
    Ok(Answer { good, out, error })
}

fn hear(
    pipe: Option<impl Read + Send + 'static>,
    said: fn(String) -> Said,
    said_tx: mpsc::SyncSender<Said>,
) -> io::Result<()> {
    let listener = thread::Builder::new().name("listener".into());
    listener.spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What cannot be read was not said; what is too much is passed over.
            let _ = (&mut pipe).take(MOST).read_to_end(&mut bytes);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        // Nobody may be waiting any more.
        let _ = said_tx.send(said(text));
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_heard_however_much_it_is() {
        let script = "echo out; echo error >&2; head -c 1000000 /dev/zero >&2; exit 3";
        let said = ask("sh", &["-c", script].map(OsStr::new)).unwrap();
        assert_eq!(said.out, "out");
        assert!(said.error.starts_with("error\n"));
        assert!(!said.good && ask("true", &[]).unwrap().good);
        assert!(ask("/nowhere/at/all", &[]).is_err());
    }
}
