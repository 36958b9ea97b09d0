//! Somebody's terminal in which `play.py` runs.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::Instant,
};

use tests::{DEADLINE, eventually};

use crate::{readme::matches, stage::Stage};

/// A player's program; it is ended when this is dropped.
pub(crate) struct Terminal {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    seen: Vec<String>,
    next: usize,
}

impl Terminal {
    /// Runs `command` as soon as there is a group that lets it in.
    pub(crate) async fn open(stage: &Stage, command: &[String]) -> Terminal {
        eventually("somebody is let in", async || {
            let mut terminal = Terminal::start(stage, command);
            // Nothing is said where there is no gate yet.
            let first = terminal.output.recv_timeout(DEADLINE).ok()?;
            let is_in = first != "the end: verify_unavailable";
            terminal.seen.push(first);
            is_in.then_some(terminal)
        })
        .await
    }

    fn start(stage: &Stage, command: &[String]) -> Terminal {
        let mut words = command.iter().map(|word| stage.here(word));
        let program = words.next().unwrap();
        let mut command = Command::new(program);
        command.args(words);
        if !command.get_args().any(|word| word == "--gate") {
            command.args(["--gate", &format!("{}:10242", stage.address())]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, printed) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (lines, output) = sync_channel(1024);
        thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Terminal {
            child,
            input,
            output,
            seen: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for a line; others on the way are passed over. Gives it back.
    pub(crate) fn reads(&mut self, expected: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            while self.next < self.seen.len() {
                self.next += 1;
                let line = &self.seen[self.next - 1];
                if matches(expected, line) {
                    return line.clone();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line `{expected}` in\n{}", self.seen.join("\n")),
            }
        }
    }
}

impl Terminal {
    /// Whether it has read this line by now.
    pub(crate) fn has_read(&mut self, line: &str) -> bool {
        self.seen.extend(self.output.try_iter());
        self.seen.iter().any(|seen| seen == line)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
