//! What every node of a group measures: its calls, its links, its pairs.

use super::{Kind, Metric, Section};

/// From a memory link's microseconds to the longest deadline.
const CALLS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 30.0,
];

const OUTCOME: (&str, &str) = (
    "outcome",
    "`ok`, `given_up` by its caller, or a kind of error: `handler`, `not_found`, `unimplemented`, \
    `unavailable`, `deadline_exceeded`, `overloaded`, `too_large`, `forbidden`, `no_route`",
);

pub(super) const SECTION: Section = Section {
    title: "Nodes",
    shown_by: "gates, scenes, slaves, bridges",
    metrics: &[
        Metric::counter(
            "redrabbit_node_calls_total",
            &[OUTCOME],
            "This node's own calls that have ended.",
        ),
        Metric {
            name: "redrabbit_node_call_duration_seconds",
            kind: Kind::Histogram(CALLS),
            labels: &[OUTCOME],
            help: "How long they took, from the call to its end: all of the first thousand of a \
                second, and one in 17 of those that follow.",
        },
        Metric::gauge(
            "redrabbit_node_outbox_messages",
            &[],
            "Messages that wait in the outboxes of the node's links to brokers.",
        ),
        Metric::gauge(
            "redrabbit_node_outbox_bytes",
            &[],
            "Bytes that wait in the outboxes of the node's links to brokers.",
        ),
        Metric::gauge(
            "redrabbit_node_calls_pending",
            &[],
            "Calls of this node that have not ended.",
        ),
        Metric::gauge(
            "redrabbit_node_unacknowledged_bytes",
            &[],
            "Bytes that other nodes have not acknowledged.",
        ),
        Metric::gauge(
            "redrabbit_node_unacknowledged_messages",
            &[],
            "Messages that other nodes have not acknowledged.",
        ),
        Metric::counter(
            "redrabbit_node_refused_total",
            &[("reason", "`gone`, `overloaded`, `no_broker`")],
            "Messages without an answer that were not sent.",
        ),
        Metric::counter(
            "redrabbit_node_dropped_total",
            &[(
                "reason",
                "`malformed`, `source_gone`, `unimplemented`, `method_too_long`",
            )],
            "Messages that arrived and came to nothing.",
        ),
        Metric::counter(
            "redrabbit_node_resent_total",
            &[],
            "Messages that were sent again, by another broker or because nobody acknowledged \
            them.",
        ),
        Metric::counter(
            "redrabbit_node_duplicates_total",
            &[],
            "Messages that had arrived before, and were dropped.",
        ),
        Metric::counter(
            "redrabbit_node_panics_total",
            &[(
                "handler",
                "`request`, `message`, `event`, `outcome`, `transit`",
            )],
            "Handlers of the engine that panicked, which is a fault of ours.",
        ),
    ],
};
