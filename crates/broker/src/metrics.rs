//! What a broker counts.

use metrics::{Counter, Gauge, counter, gauge};

/// Handles to a broker's metrics, looked up once.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// `redrabbit_broker_batches_total`: batches taken from links.
    pub(crate) batches: Counter,
    /// `redrabbit_broker_envelopes_total`: envelopes forwarded.
    pub(crate) envelopes: Counter,
    /// `redrabbit_broker_bytes_total`: their bytes.
    pub(crate) bytes: Counter,
    /// `redrabbit_broker_links`: links that are open.
    pub(crate) links: Gauge,
    dropped_no_route: Counter,
    dropped_overloaded: Counter,
}

/// Why an envelope did not go any further: the label `reason` of
/// `redrabbit_broker_dropped_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The destination has no link here.
    NoRoute,
    /// The destination's outbox is full.
    Overloaded,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics {
            batches: counter!("redrabbit_broker_batches_total"),
            envelopes: counter!("redrabbit_broker_envelopes_total"),
            bytes: counter!("redrabbit_broker_bytes_total"),
            links: gauge!("redrabbit_broker_links"),
            dropped_no_route: counter!("redrabbit_broker_dropped_total", "reason" => "no_route"),
            dropped_overloaded: counter!("redrabbit_broker_dropped_total", "reason" => "overloaded"),
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        match reason {
            DropReason::NoRoute => self.dropped_no_route.increment(1),
            DropReason::Overloaded => self.dropped_overloaded.increment(1),
        }
    }
}
