//! A node with its traffic in a process of its own, which can be frozen and cut
//! off.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::{member::Load, report::Part};
use crate::{
    eventually,
    process::{binary, end_with_parent, signal_to},
};

/// What the process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub name: String,
    pub master: SocketAddr,
    pub secret: String,
    /// Whom it talks to; nobody, and it answers only.
    pub peers: Vec<String>,
    pub load: Load,
}

/// What the process says, a line of JSON each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// The node is in the group, under this id.
    Joined(u64),
    /// Its lease has run out.
    Lost,
    /// Its senders are done.
    Done,
    #[doc(hidden)]
    Part(Box<Part>),
}

/// The process; it is killed when this is dropped.
pub struct Apart {
    name: String,
    child: Child,
    orders: ChildStdin,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Apart {
    /// Starts it; `prefix` is a command that starts commands.
    pub(crate) fn start(job: &Job, prefix: &[String]) -> Apart {
        let program = binary("traffic-node");
        let mut command = match prefix {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .arg(serde_json::to_string(job).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = end_with_parent(&mut command).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let said: Arc<Mutex<Vec<Said>>> = Arc::default();
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let word = serde_json::from_str(&line).unwrap();
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(word);
            }
        });
        Apart {
            name: job.name.clone(),
            orders: child.stdin.take().unwrap(),
            child,
            said,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn signal(&self, signal: Signal) {
        signal_to(self.child.id(), signal);
    }

    /// Everything that it has said so far.
    pub fn said(&self) -> Vec<Said> {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The ids under which it has joined, in turn.
    pub fn ids(&self) -> Vec<u64> {
        let said = self.said();
        let joined = said.iter().filter_map(|word| match word {
            Said::Joined(id) => Some(*id),
            _ => None,
        });
        joined.collect()
    }

    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    pub(crate) async fn done(&self) {
        eventually("a node apart is done", async || {
            let done = |word: &Said| matches!(word, Said::Done);
            self.said().iter().any(done).then_some(())
        })
        .await;
    }

    /// What it has received and sent.
    pub(crate) async fn part(&mut self) -> Part {
        let before = self.said().len();
        self.order("part");
        eventually("a node apart reports", async || {
            self.said().drain(before..).find_map(|word| match word {
                Said::Part(part) => Some(*part),
                _ => None,
            })
        })
        .await
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
