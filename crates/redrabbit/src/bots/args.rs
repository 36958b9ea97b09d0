//! The command line of `bots`.

use std::{io, path::PathBuf, time::Duration};

use client::Trust;
use daemon::Exit;
use topology::{Topology, TopologyError};

use super::{bot::Shared, door::Door, pace::Speed};
use crate::{group, units};

/// The arguments of `bots`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct BotsArgs {
    /// How many bots
    #[arg(long, value_name = "BOTS", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub count: u64,

    /// Connects to the gates of this file, spread over all of them, by TCP where
    /// they have it, or to its login gates, if it has such; configs/local.toml if it
    /// is there, else /etc/redrabbit/topology.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tcp", "websocket"])]
    pub topology: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["tcp", "websocket"])]
    pub set: Vec<String>,

    /// Connects by TCP to this host:port, or tls://host:port, without any file; may be
    /// given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub tcp: Vec<String>,

    /// Connects by WebSocket to this ws://host:port or wss://host, without any file;
    /// may be given more than once
    #[arg(long, value_name = "URL")]
    pub websocket: Vec<String>,

    /// Believes the certificates of gates that this authority has signed, in PEM, and
    /// no others; those that the system believes unless given
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Messages a second that each bot sends, whatever the answers; 10, or with
    /// --in-flight as many as can be; 0 sends none
    #[arg(long, value_name = "MESSAGES", value_parser = rate)]
    pub rate: Option<f64>,

    /// Messages that each bot may have unanswered: it sends the next when one of
    /// them is answered (a closed loop)
    #[arg(long, value_name = "MESSAGES",
          value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub in_flight: Option<u64>,

    /// Size of a message's body, in bytes; one that is too small for the message's
    /// number is exceeded
    #[arg(long, value_name = "BYTES", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub size: u32,

    /// The number under which bots send [number, "padding"], and expect the very
    /// same back
    #[arg(long, value_name = "NUMBER", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=65_534))]
    pub cmd: u16,

    /// How long all of them send, in s, m or h; their logins come before that
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub duration: Duration,

    /// How long they wait at the end for answers that are still out, in ms, s or m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub wait: Duration,

    /// Bots log in as this and their number: bot-0, bot-1 and so on
    #[arg(long, value_name = "TEXT", default_value = "bot-")]
    pub name: String,

    /// Bots whose connection ends log in again under the same name, at the next
    /// gate; told that their gate is draining, they go there by themselves
    #[arg(long)]
    pub reconnect: bool,

    /// Bots that begin to log in, a second
    #[arg(long, value_name = "LOGINS", default_value_t = 500.0, value_parser = logins)]
    pub logins_per_second: f64,

    /// Prints JSON at the end instead of a table
    #[arg(long)]
    pub json: bool,
}

/// No bot was let loose, and why.
#[derive(Debug, thiserror::Error)]
pub enum BotsError {
    /// The topology file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The topology has no gate.
    #[error("{file} has no gate to connect to: give one with --tcp or --websocket")]
    NoGate {
        /// The topology file.
        file: String,
    },
    /// What was given is no address.
    #[error("{option} {given}: expected {expected}")]
    Address {
        /// Where it was given.
        option: &'static str,
        /// What was given.
        given: String,
        /// What could have been.
        expected: &'static str,
    },
    /// There is no authority in the file.
    #[error("--ca {file}: {reason}")]
    Authority {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Each bot is an open file.
    #[error(
        "{count} bots want as many open files, and this user may have {files}: \
         raise the hard limit (ulimit -Hn) or take fewer with --count"
    )]
    Files {
        /// How many bots.
        count: u64,
        /// What the system allows.
        files: u64,
    },
    /// The system refuses something that we cannot do without.
    #[error("cannot let bots loose: {0}")]
    System(#[from] io::Error),
}

const HELP: &str = "\
Examples:
  redrabbit bots
  redrabbit bots --count 50 --in-flight 16 --duration 30s
  redrabbit bots --websocket ws://127.0.0.1:10243 --rate 1 --size 1000
  redrabbit bots --reconnect --duration 2m --json | jq .latency_ms

Whatever the script does at --cmd has to send the message back as it is; the chat
that comes with RedRabbit does so at 2. Ctrl-C ends the sending, a second one the
waiting for answers too. The progress goes to stderr, the result to stdout.

In the result:
  lost          never answered, though the connection lived
  repeated      answers to what had been answered
  out of order  answers that came after that to a later message
  in hand       out when the connection ended; no fault, since it cannot be known
                what became of them
Latency counts from when a message was due, should the bot not have been able to
send it then.

With --json the object has: good, bots, gates (where they connected), seconds, sent,
answered, lost, unanswered (those of the lost that were out at the end), repeated,
out_of_order, in_hand, belated (answers to those), altered (answers to what was never
asked), others, logins, reconnects, absent (bots not connected at the end), latency_ms and
login_ms (mean, p50, p90, p99, p999, max), ends (how connections ended, and how many).

Exit codes:
  0   every bot was let in and there at the end, and nothing was lost, repeated
      or out of order
  1   something was, or no bot could be let loose
  64  the command line is wrong
  78  the topology file is wrong";

/// What each bot sends a second unless told otherwise.
const RATE: f64 = 10.0;

impl BotsArgs {
    /// What the bots share.
    pub(super) fn shared(&self) -> Result<Shared, BotsError> {
        Ok(Shared::new(self, self.doors()?))
    }

    /// How fast each bot sends.
    pub(super) fn speed(&self) -> Speed {
        let rate = self.rate.or(match self.in_flight {
            Some(_) => None,
            None => Some(RATE),
        });
        Speed::new(rate, self.in_flight.map(|most| most as usize))
    }

    fn doors(&self) -> Result<Vec<Door>, BotsError> {
        let doors = self.doors_anywhere()?;
        let Some(file) = &self.ca else {
            return Ok(doors);
        };
        let wrong = |reason| BotsError::Authority {
            file: file.display().to_string(),
            reason,
        };
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let trust = Trust::authorities(&pem).map_err(|error| wrong(error.to_string()))?;
        let doors = doors.into_iter().map(|door| door.trusting(&trust));
        Ok(doors.collect())
    }

    fn doors_anywhere(&self) -> Result<Vec<Door>, BotsError> {
        let tcp = self.tcp.iter().map(|given| {
            let door = match given.split_once("://") {
                None => Door::at(&format!("tcp://{given}")),
                Some(_) => door(given, &["tcp", "tls"]),
            };
            door.ok_or_else(|| BotsError::Address {
                option: "--tcp",
                given: given.clone(),
                expected: "host:port or tls://host:port",
            })
        });
        let websocket = self.websocket.iter().map(|given| {
            door(given, &["ws", "wss"]).ok_or_else(|| BotsError::Address {
                option: "--websocket",
                given: given.clone(),
                expected: "ws://host:port or wss://host",
            })
        });
        let given: Vec<Door> = tcp.chain(websocket).collect::<Result<_, _>>()?;
        if !given.is_empty() {
            return Ok(given);
        }
        let file = group::file(self.topology.as_deref());
        let doors = Door::of_gates(&Topology::load(&file, &self.set)?);
        if doors.is_empty() {
            let file = file.display().to_string();
            return Err(BotsError::NoGate { file });
        }
        Ok(doors)
    }
}

impl BotsError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            BotsError::Topology(_) => Exit::Config,
            BotsError::Address { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

/// A door of one of these kinds.
fn door(url: &str, schemes: &[&str]) -> Option<Door> {
    let (scheme, _) = url.split_once("://")?;
    let is_one = schemes.contains(&scheme);
    is_one.then(|| Door::at(url)).flatten()
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate @ 0.0..=1_000_000.0) => Ok(rate),
        _ => Err("expected a number from 0 to 1000000".to_owned()),
    }
}

fn logins(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate @ 0.001..=1_000_000.0) => Ok(rate),
        _ => Err("expected a number from 0.001 to 1000000".to_owned()),
    }
}
