//! Where bots connect.

use std::fmt;

use client::{Address, Client, ClientError, Trust};
use topology::{Gate, GateMode, Topology};

use crate::group::reachable;

/// A door of a gate.
#[derive(Clone, Debug)]
pub(super) struct Door(Address);

impl Door {
    /// `tcp://`, `tls://`, `ws://` or `wss://`, and the gate's name there.
    pub(super) fn at(url: &str) -> Option<Door> {
        url.parse().ok().map(Door)
    }

    /// One of each gate where players come: those that send them on, where there are such.
    pub(super) fn of_gates(topology: &Topology) -> Vec<Door> {
        let gates = || topology.gates.values();
        let has_login = gates().any(|gate| gate.mode == GateMode::Login);
        gates()
            .filter(|gate| !has_login || gate.mode == GateMode::Login)
            .filter_map(|gate| Door::at(&url(gate)?))
            .collect()
    }

    /// The same, and whose certificates are believed there.
    pub(super) fn trusting(self, trust: &Trust) -> Door {
        Door(self.0.trusting(trust.clone()))
    }

    /// Lets a bot in, at the gate that it is sent to if it is.
    pub(super) async fn login(&self, session_key: &str) -> Result<Client, ClientError> {
        let (client, _) = Client::enter(&self.0, session_key).await?;
        Ok(client)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.url())
    }
}

/// TCP, where it has that. A gate with a certificate is called by the name that it is known
/// by, if it has one: the certificate is for that. One without is near, whatever balancers
/// stand before it.
fn url(gate: &Gate) -> Option<String> {
    let is_tls = gate.certificate.is_some();
    let of = |listens: Option<_>, known: &Option<String>, plain, encrypted| {
        let listens = reachable(listens?);
        Some(match known {
            Some(known) if is_tls => known.clone(),
            _ if is_tls => format!("{encrypted}://{listens}"),
            _ => format!("{plain}://{listens}"),
        })
    };
    of(gate.tcp, &gate.advertise_tcp, "tcp", "tls")
        .or_else(|| of(gate.websocket, &gate.advertise_websocket, "ws", "wss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(gates: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        let group = r#"
            group = "GroupA"
            [master]
            listen = "127.0.0.1:10241"
            [scenes."scene@0"]
            script = "main.py"
        "#;
        std::fs::write(&file, format!("{group}{gates}")).unwrap();
        let doors = Door::of_gates(&Topology::load(&file, &[]).unwrap());
        doors.iter().map(Door::to_string).collect()
    }

    #[test]
    fn each_gate_has_one_door_and_is_reached_on_loopback_if_it_listens_everywhere() {
        let doors = doors(
            r#"
            [gates."gate@0"]
            tcp = "0.0.0.0:10242"
            websocket = "0.0.0.0:10243"
            [gates."gate@1"]
            websocket = "10.0.0.1:10253"
            "#,
        );
        assert_eq!(doors, ["tcp://127.0.0.1:10242", "ws://10.0.0.1:10253"]);
    }

    #[test]
    fn players_come_to_login_gates_where_there_are_such() {
        let doors = doors(
            r#"
            [gates."gate@1"]
            mode = "login"
            tcp = "127.0.0.1:10240"
            [gates."gate@0"]
            tcp = "127.0.0.1:10242"
            "#,
        );
        assert_eq!(doors, ["tcp://127.0.0.1:10240"]);
    }

    #[test]
    fn a_gate_with_a_certificate_is_called_by_the_name_that_it_is_known_by() {
        let doors = doors(
            r#"
            [gates."gate@0"]
            tcp = "0.0.0.0:10242"
            advertise_tcp = "tls://game.example.net:443"
            certificate = "gate.crt"
            key = "gate.key"
            [gates."gate@1"]
            websocket = "127.0.0.1:10253"
            certificate = "gate.crt"
            key = "gate.key"
            [gates."gate@2"]
            tcp = "10.0.0.1:10262"
            advertise_tcp = "tcp://balancer.example.net:10262"
            "#,
        );
        let expected = [
            "tls://game.example.net:443",
            "wss://127.0.0.1:10253",
            "tcp://10.0.0.1:10262",
        ];
        assert_eq!(doors, expected);
    }
}
