//! What of it is asked for.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    echo::Time,
    server::{Kind, Layout, Subject},
    shape::{QUICK, Shape, USUAL},
    stamp::LEAST_BYTES,
};
use crate::cli::seconds;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Which loads: clients by messages in flight (50x16), broadcast,
    /// broadcast-64 (so many leave together), login, idle, slow; each with a
    /// number of clients if need be (broadcast-200x64, login-500). All unless
    /// given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    load: Vec<Shape>,

    /// Over which sockets
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "tcp"
    )]
    over: Vec<Over>,

    /// Bytes of each body
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = body)]
    body: usize,

    /// How long each load is measured
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,

    /// How often each load runs; the table has the medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Programs to measure, from this folder and under this name, in
    /// alternation; those beside this one unless given
    #[arg(long, value_name = "NAME=FOLDER", value_parser = programs)]
    programs: Vec<(String, PathBuf)>,

    /// What else to measure, with messages that come back over TCP: bare (a
    /// socket server of this tool), nats (NATS core)
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    peer: Vec<Peer>,

    /// A server of the same framing that runs already, to measure in the same
    /// way
    #[arg(long, value_name = "NAME=ADDRESS,PID", value_parser = other)]
    other: Vec<(String, SocketAddr, u32)>,

    /// A broker-slave carries the messages, and not the master
    #[arg(long)]
    slave: bool,

    /// A setting of the topology, such as limits.session_window=16
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// A small load of each kind, to see that the tool works
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Over {
    Tcp,
    Websocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    Bare,
    Nats,
}

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) shapes: Vec<Shape>,
    /// Which of the two kinds of sockets, in turn.
    pub(crate) websocket: Vec<bool>,
    pub(crate) body: usize,
    pub(crate) time: Time,
    pub(crate) rounds: u32,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) layout: Layout,
}

impl Options {
    pub(crate) fn plan(self) -> Plan {
        let subject = |name: &str, kind| Subject {
            name: name.to_owned(),
            kind,
        };
        let mut subjects: Vec<Subject> = self
            .programs
            .iter()
            .map(|(name, folder)| subject(name, Kind::Group(Some(folder.clone()))))
            .collect();
        if subjects.is_empty() {
            subjects.push(subject("ours", Kind::Group(None)));
        }
        subjects.extend(self.peer.iter().map(|peer| match peer {
            Peer::Bare => subject("bare", Kind::Bare),
            Peer::Nats => subject("nats", Kind::Nats),
        }));
        subjects.extend(self.other.iter().map(|(name, address, pid)| {
            let (address, pid) = (*address, *pid);
            subject(name, Kind::Other { address, pid })
        }));
        let (shapes, time, rounds) = if self.quick {
            let time = Time {
                warm_up: Duration::from_millis(50),
                seconds: Duration::from_millis(300),
            };
            (QUICK.to_vec(), time, 1)
        } else {
            let time = Time {
                warm_up: Duration::from_millis(500),
                seconds: Duration::from_secs_f64(self.seconds),
            };
            let shapes = match self.load.is_empty() {
                true => USUAL.to_vec(),
                false => self.load,
            };
            (shapes, time, self.rounds)
        };
        Plan {
            shapes,
            websocket: self
                .over
                .iter()
                .map(|over| *over == Over::Websocket)
                .collect(),
            body: self.body,
            time,
            rounds,
            subjects,
            layout: Layout {
                slave: self.slave,
                settings: self.set,
                ..Layout::default()
            },
        }
    }
}

fn body(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (LEAST_BYTES..=32 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "expected a number of bytes from {LEAST_BYTES} to 32768"
        )),
    }
}

fn programs(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) => Ok((name.to_owned(), folder.into())),
        None => Err("expected a name and a folder, as in base=target/release".into()),
    }
}

fn other(text: &str) -> Result<(String, SocketAddr, u32), String> {
    fn read(text: &str) -> Option<(String, SocketAddr, u32)> {
        let (name, rest) = text.split_once('=')?;
        let (address, pid) = rest.rsplit_once(',')?;
        Some((
            name.to_owned(),
            SocketAddr::from_str(address).ok()?,
            pid.parse().ok()?,
        ))
    }
    read(text).ok_or_else(|| "expected as in skynet=127.0.0.1:8888,4711".into())
}
