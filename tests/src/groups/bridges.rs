//! Bridges, each a process with a file of its own.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
};

use tempfile::TempDir;

use crate::{Process, Signal, http, own_address, within};

/// A group, as a bridge is told of it.
#[derive(Clone, Debug)]
pub struct Join {
    pub group: String,
    pub master: SocketAddr,
    /// Empty for none.
    pub secret: String,
}

/// The bridges of a test. They end when this is dropped.
pub struct Bridges {
    address: Ipv4Addr,
    /// Before the folder: what a process has printed is shown when it goes.
    running: BTreeMap<String, Process>,
    folder: TempDir,
    starts: usize,
}

impl Bridges {
    pub(super) fn new() -> Bridges {
        Bridges {
            address: own_address(),
            running: BTreeMap::new(),
            folder: tempfile::tempdir().unwrap(),
            starts: 0,
        }
    }

    /// Starts a bridge of these groups.
    pub fn run_with(&mut self, name: &str, joins: &[Join]) {
        let mut text = format!(
            "[bridges.\"{name}\"]\nhttp = \"{}\"\n",
            self.http_address(name)
        );
        for join in joins {
            let Join { group, master, .. } = join;
            writeln!(
                text,
                "[[groups]]\nname = \"{group}\"\nmaster = \"{master}\""
            )
            .unwrap();
            if !join.secret.is_empty() {
                writeln!(text, "secret = \"{}\"", join.secret).unwrap();
            }
        }
        let file = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, text).unwrap();
        self.starts += 1;
        let log = self
            .folder
            .path()
            .join(format!("{name}.{}.log", self.starts));
        let arguments = ["--topology", file.to_str().unwrap(), "--name", name];
        let process = Process::start("bridge", &arguments, &log);
        self.running.insert(name.to_owned(), process);
    }

    /// The bridges that run.
    pub fn names(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }

    /// Sends a signal that does not end the bridge, or not at once.
    pub fn signal(&self, name: &str, signal: Signal) {
        self.running[name].signal(signal);
    }

    /// Sends a signal that ends the bridge, and waits for that.
    pub async fn end(&mut self, name: &str, signal: Signal) {
        self.signal(name, signal);
        let mut process = self.running.remove(name).unwrap();
        process.ended().await;
    }

    /// What a bridge has printed since its start.
    pub fn log(&self, name: &str) -> String {
        self.running[name].log()
    }

    /// A metric of a bridge; `metric` may have labels, and without any it is the sum
    /// of all.
    pub async fn metric(&self, name: &str, metric: &str) -> u64 {
        http::sample(&self.page(name).await, metric) as u64
    }

    /// The metrics of a bridge.
    pub async fn page(&self, name: &str) -> String {
        let what = format!("{name} shows its metrics");
        within(&what, http::get(self.http_address(name), "/metrics")).await
    }

    fn http_address(&self, name: &str) -> SocketAddr {
        let index: u16 = name.strip_prefix("bridge@").unwrap().parse().unwrap();
        (self.address, 32000 + index).into()
    }
}
