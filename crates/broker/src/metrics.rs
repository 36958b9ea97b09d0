//! What a broker counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use metrics::{Counter, Gauge, counter, gauge};

use crate::audience::Sent;

/// Handles to the metrics of a broker's links, looked up once.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// `redrabbit_broker_batches_total`: batches taken from links.
    pub(crate) batches: Counter,
    /// `redrabbit_broker_envelopes_total`: envelopes of nodes that were
    /// forwarded to nodes.
    pub(crate) envelopes: Counter,
    /// `redrabbit_broker_bytes_total`: their bytes.
    pub(crate) bytes: Counter,
    /// `redrabbit_broker_links`: links that are open.
    pub(crate) links: Gauge,
    /// `redrabbit_broker_links_silent_total`: links that were closed because
    /// nothing came from their nodes.
    pub(crate) silent: Counter,
    outbox_messages: Gauge,
    outbox_bytes: Gauge,
    outbox_fullest: Gauge,
    /// What was dropped for whatever reason, for the broker's vitals.
    lost: Arc<AtomicU64>,
    dropped_no_route: Counter,
    dropped_overloaded: Counter,
    dropped_malformed: Counter,
    refused_no_route: Counter,
    refused_no_room: Counter,
}

/// Why an envelope did not go any further.
///
/// The label `reason` of `redrabbit_broker_dropped_total` for what is lost, and
/// of `redrabbit_broker_refused_total` for what is numbered, so that its source
/// sends it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The destination has no link here.
    NoRoute,
    /// The destination's outbox is full.
    Overloaded,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let dropped = |reason| counter!("redrabbit_broker_dropped_total", "reason" => reason);
        let refused = |reason| counter!("redrabbit_broker_refused_total", "reason" => reason);
        Metrics {
            batches: counter!("redrabbit_broker_batches_total"),
            envelopes: counter!("redrabbit_broker_envelopes_total"),
            bytes: counter!("redrabbit_broker_bytes_total"),
            links: gauge!("redrabbit_broker_links"),
            silent: counter!("redrabbit_broker_links_silent_total"),
            outbox_messages: gauge!("redrabbit_broker_outbox_messages"),
            outbox_bytes: gauge!("redrabbit_broker_outbox_bytes"),
            outbox_fullest: gauge!("redrabbit_broker_outbox_fullest_bytes"),
            lost: Arc::default(),
            dropped_no_route: dropped("no_route"),
            dropped_overloaded: dropped("overloaded"),
            dropped_malformed: dropped("malformed"),
            refused_no_route: refused("no_route"),
            refused_no_room: refused("no_room"),
        }
    }

    /// What waits in the outboxes of all links, and in the fullest of them.
    pub(crate) fn waiting(&self, messages: u64, bytes: u64, fullest: u64) {
        self.outbox_messages.set(messages as f64);
        self.outbox_bytes.set(bytes as f64);
        self.outbox_fullest.set(fullest as f64);
    }

    /// How much was dropped.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        match reason {
            DropReason::NoRoute => self.dropped_no_route.increment(1),
            DropReason::Overloaded => self.dropped_overloaded.increment(1),
        }
    }

    pub(crate) fn refused(&self, reason: DropReason) {
        match reason {
            DropReason::NoRoute => self.refused_no_route.increment(1),
            DropReason::Overloaded => self.refused_no_room.increment(1),
        }
    }

    /// An envelope whose routing fields can be read and the rest cannot.
    pub(crate) fn dropped_malformed(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.dropped_malformed.increment(1);
    }

    /// `redrabbit_broker_link_faults_total`: links that were ended, or not
    /// opened, for what their nodes did. Rare, so that it is looked up.
    pub(crate) fn link_fault(&self, reason: &'static str) {
        counter!("redrabbit_broker_link_faults_total", "reason" => reason).increment(1);
    }
}

/// Handles to the metrics of a registry.
pub(crate) struct RegistryMetrics {
    messages: Counter,
    loads: Counter,
    members: Gauge,
    bridges: Gauge,
}

impl RegistryMetrics {
    pub(crate) fn new() -> Self {
        RegistryMetrics {
            messages: counter!("redrabbit_registry_messages_total"),
            loads: counter!("redrabbit_registry_loads_total"),
            members: gauge!("redrabbit_registry_members"),
            bridges: gauge!("redrabbit_registry_bridges"),
        }
    }

    /// `redrabbit_registry_messages_total`: what was sent to members on their
    /// Join streams. `redrabbit_registry_loads_total`: how many loads bridges were
    /// told with it.
    pub(crate) fn sent(&self, sent: Sent) {
        self.messages.increment(sent.messages);
        self.loads.increment(sent.loads);
    }

    /// `redrabbit_registry_members`: nodes in the directory besides the master.
    /// `redrabbit_registry_bridges`: how many of them are bridges.
    pub(crate) fn members(&self, members: usize, bridges: usize) {
        self.members.set(members as f64);
        self.bridges.set(bridges as f64);
    }

    /// `redrabbit_registry_refused_total`: requests that were not granted, by
    /// reason. Rare, so that it is looked up.
    pub(crate) fn refused(&self, reason: &'static str) {
        counter!("redrabbit_registry_refused_total", "reason" => reason).increment(1);
    }
}
