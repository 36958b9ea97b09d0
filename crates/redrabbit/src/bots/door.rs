//! Where bots connect.

use std::fmt;

use client::{Client, ClientError};
use topology::Topology;

use crate::group::reachable;

/// A door of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `host:port`
    Tcp(String),
    /// `ws://host:port`
    WebSocket(String),
}

impl Door {
    /// One of each gate: TCP, where it has that.
    pub(super) fn of_gates(topology: &Topology) -> Vec<Door> {
        let doors = topology.gates.values().filter_map(|gate| {
            let tcp = gate.tcp.map(|at| Door::Tcp(reachable(at).to_string()));
            let websocket = gate.websocket.map(|at| format!("ws://{}", reachable(at)));
            tcp.or(websocket.map(Door::WebSocket))
        });
        doors.collect()
    }

    pub(super) async fn connect(&self) -> Result<Client, ClientError> {
        match self {
            Door::Tcp(address) => Client::connect_tcp(address).await,
            Door::WebSocket(url) => Client::connect_websocket(url).await,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Tcp(address) => write!(f, "tcp {address}"),
            Door::WebSocket(url) => write!(f, "websocket {url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gate_has_one_door_and_is_reached_on_loopback_if_it_listens_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        let text = r#"
            group = "GroupA"
            [master]
            listen = "127.0.0.1:10241"
            [scenes."scene@0"]
            script = "main.py"
            [gates."gate@0"]
            tcp = "0.0.0.0:10242"
            websocket = "0.0.0.0:10243"
            [gates."gate@1"]
            websocket = "10.0.0.1:10253"
        "#;
        std::fs::write(&file, text).unwrap();
        let doors = Door::of_gates(&Topology::load(&file, &[]).unwrap());
        let doors: Vec<String> = doors.iter().map(Door::to_string).collect();
        assert_eq!(
            doors,
            ["tcp 127.0.0.1:10242", "websocket ws://10.0.0.1:10253"]
        );
    }
}
