//! Which of several groups of a test one is: its name, its ports, its file.

use std::{fmt::Write, net::Ipv4Addr, path::Path};

use crate::{MASTER, Members};

/// Which group of a test it is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub group: String,
    /// The how manieth, from 0 to 4: each has ports of its own.
    pub index: u16,
    /// What its nodes know, if anything.
    pub secret: String,
}

/// How many ports a group has.
const PORTS: u16 = 4000;

impl Default for Place {
    fn default() -> Self {
        Place {
            group: "GroupA".to_owned(),
            index: 0,
            secret: String::new(),
        }
    }
}

impl Place {
    /// Where a broker listens, or a gate for TCP. Its pages are a thousand above, and
    /// WebSocket is two thousand.
    pub(crate) fn port(&self, name: &str) -> u16 {
        let (role, index) = name.split_once('@').unwrap();
        let first = match role {
            "master" => 10100,
            "slave" => 10200,
            "scene" => 10300,
            _ => 10400,
        };
        first + self.index * PORTS + index.parse::<u16>().unwrap()
    }

    /// The file of the group.
    pub(crate) fn topology(
        &self,
        address: Ipv4Addr,
        members: &Members<'_>,
        state: &Path,
    ) -> String {
        let mut text = format!("group = \"{}\"\n", self.group);
        let master = self.port(MASTER);
        writeln!(text, "[master]\nlisten = \"{address}:{master}\"").unwrap();
        writeln!(text, "state_dir = {state:?}").unwrap();
        let mut add = |role: &str, count, lines: &dyn Fn(u16) -> String| {
            for index in 0..count {
                let name = format!("{role}@{index}");
                let port = self.port(&name);
                writeln!(text, "[{role}s.\"{name}\"]\n{}", lines(port)).unwrap();
                writeln!(text, "http = \"{address}:{}\"", port + 1000).unwrap();
            }
        };
        add("slave", members.slaves, &|port| {
            format!("listen = \"{address}:{port}\"")
        });
        add("scene", members.scenes, &|_| {
            format!("script = \"main.py\"\nstate_dir = {state:?}")
        });
        add("gate", members.gates, &|port| {
            let websocket = port + 2000;
            format!("tcp = \"{address}:{port}\"\nwebsocket = \"{address}:{websocket}\"")
        });
        if !self.secret.is_empty() {
            writeln!(text, "[security]\nsecret = \"{}\"", self.secret).unwrap();
        }
        text + members.more
    }
}
