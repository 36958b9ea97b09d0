//! A group with a gate to offend, and what can be seen of that from outside.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::json;
use tests::{ARCADE, Group, Runs, eventually, open_files, resident_bytes};

use crate::wire::Raw;

/// A group of processes.
pub(crate) struct Stage {
    pub(crate) group: Group,
    /// The gate's process.
    pub(crate) gate: u32,
    /// Its memory before anybody came.
    memory: u64,
    /// How many have been seen to end for each reason.
    seen: BTreeMap<&'static str, u64>,
}

const MIB: u64 = 1 << 20;

impl Stage {
    /// With `limits`, one a line, in place of the defaults.
    pub(crate) async fn with(limits: &str) -> Stage {
        let more = format!("[limits]\n{limits}\n");
        let mut group = Group::with(Runs::Apart, ARCADE, &more).await;
        let gate = group.roles().process("gate").id();
        // The first clients fill caches and pools.
        for n in 0..4 {
            let mut player = group.player(&format!("first-{n}")).await;
            assert!(player.try_echo().await);
        }
        let stage = Stage {
            memory: resident_bytes(gate),
            seen: BTreeMap::new(),
            group,
            gate,
        };
        stage.is_deserted().await;
        stage
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.group.tcp()
    }

    pub(crate) fn websocket(&self) -> SocketAddr {
        (self.group.tcp().ip(), 10243).into()
    }

    /// A client that has been let in.
    pub(crate) async fn tcp_client(&self, name: &str) -> Raw {
        let mut client = Raw::connect(self.tcp()).await;
        client.login(name).await.unwrap();
        client
    }

    /// A client that has been let in over WebSocket.
    pub(crate) async fn websocket_client(&self, name: &str) -> Raw {
        let mut client = self.websocket_stranger().await;
        client.login(name).await.unwrap();
        client
    }

    /// A client that has shaken hands.
    pub(crate) async fn websocket_stranger(&self) -> Raw {
        let client = Raw::connect(self.websocket()).await;
        client.upgrade().await.unwrap()
    }

    /// How many connections have ended for this reason.
    pub(crate) async fn closed(&self, reason: &str) -> u64 {
        let name = format!("redrabbit_gate_closed_total{{reason=\"{reason}\"}}");
        self.group.gate_metric(&name).await as u64
    }

    /// Sees each client end for `reason`, and that no others have been counted
    /// for it since the stage was there.
    pub(crate) async fn ends(&mut self, reason: &'static str, clients: Vec<(&str, Raw)>) {
        let seen = self.seen.entry(reason).or_default();
        *seen += clients.len() as u64;
        let seen = *seen;
        for (what, mut client) in clients {
            assert_eq!(client.end().await, reason, "{what}");
        }
        self.has_closed(reason, seen).await;
    }

    /// How many connections have ended, for whatever reason.
    pub(crate) async fn ended(&self) -> u64 {
        let all = self.group.gate_metric("redrabbit_gate_closed_total").await;
        all as u64
    }

    /// Waits until so many connections have ended for `reason`.
    pub(crate) async fn has_closed(&self, reason: &str, count: u64) {
        eventually(&format!("{count} have ended as {reason}"), async || {
            (self.closed(reason).await >= count).then_some(())
        })
        .await;
        assert_eq!(self.closed(reason).await, count, "{reason}");
    }

    /// Waits until no connection is left.
    pub(crate) async fn is_deserted(&self) {
        eventually("no connection is left", async || {
            let open = self.group.gate_metric("redrabbit_gate_connections").await;
            (open == 0.0).then_some(())
        })
        .await;
    }

    /// Whoever comes next is served.
    pub(crate) async fn still_serves(&self) {
        let mut player = self.group.player("somebody").await;
        assert_eq!(player.asks(1, json!(["fine"])).await, json!(["fine"]));
    }

    /// How much more memory the gate has than before anybody came, in MiB.
    pub(crate) fn grown(&self) -> u64 {
        resident_bytes(self.gate).saturating_sub(self.memory) / MIB
    }

    /// Fails where the gate has taken more than so many MiB.
    pub(crate) fn has_grown_at_most(&self, bound: u64) {
        let grown = self.grown();
        println!("the gate has grown by {grown} MiB");
        assert!(grown <= bound, "{grown} MiB are more than {bound}");
    }

    pub(crate) fn open_files(&self) -> usize {
        open_files(self.gate)
    }
}
