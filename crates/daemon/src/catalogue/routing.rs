//! What carries the messages of others: brokers, the directory, bridges.

use super::{Metric, OUTCOMES, Section};

pub(super) const BROKER: Section = Section {
    title: "Brokers",
    shown_by: "masters and slaves",
    metrics: &[
        Metric::gauge(
            "redrabbit_broker_links",
            &[],
            "Links of nodes that are open.",
        ),
        Metric::gauge(
            "redrabbit_broker_outbox_messages",
            &[],
            "Messages that wait in the outboxes of all links.",
        ),
        Metric::gauge(
            "redrabbit_broker_outbox_bytes",
            &[],
            "Bytes that wait in the outboxes of all links.",
        ),
        Metric::gauge(
            "redrabbit_broker_outbox_fullest_bytes",
            &[],
            "Bytes that wait in the outbox of the link that has most of them.",
        ),
        Metric::counter(
            "redrabbit_broker_envelopes_total",
            &[],
            "Envelopes of nodes that were forwarded to nodes.",
        ),
        Metric::counter("redrabbit_broker_bytes_total", &[], "Their bytes."),
        Metric::counter(
            "redrabbit_broker_batches_total",
            &[],
            "Batches taken from links.",
        ),
        Metric::counter(
            "redrabbit_broker_dropped_total",
            &[("reason", "`no_route`, `overloaded`, `malformed`")],
            "Envelopes that went no further and do not come again.",
        ),
        Metric::counter(
            "redrabbit_broker_refused_total",
            &[("reason", "`no_route`, `no_room`")],
            "Envelopes that went no further and whose source sends them again.",
        ),
        Metric::counter(
            "redrabbit_broker_links_silent_total",
            &[],
            "Links that were closed because nothing came from their nodes.",
        ),
        Metric::counter(
            "redrabbit_broker_link_faults_total",
            &[(
                "reason",
                "`token`, `not_joined`, `malformed`, `forged_source`, `batch_too_large`",
            )],
            "Links that were ended, or not opened, for what their nodes did.",
        ),
    ],
};

pub(super) const REGISTRY: Section = Section {
    title: "The directory",
    shown_by: "the master",
    metrics: &[
        Metric::gauge(
            "redrabbit_registry_members",
            &[],
            "Nodes in the directory besides the master.",
        ),
        Metric::gauge(
            "redrabbit_registry_bridges",
            &[],
            "How many of them are bridges.",
        ),
        Metric::counter(
            "redrabbit_registry_messages_total",
            &[],
            "Messages sent to members on their Join streams.",
        ),
        Metric::counter(
            "redrabbit_registry_loads_total",
            &[],
            "Loads of nodes that bridges were told with them.",
        ),
        Metric::counter(
            "redrabbit_registry_refused_total",
            &[(
                "reason",
                "`hello`, `token`, `held_token`, `certificate`, `name`, `role`, `called`, \
                `address`, `size`, `name_taken`, `superseded`, `future_epoch`, \
                `future_revision`, `rebuilding`",
            )],
            "Requests that were not granted.",
        ),
    ],
};

pub(super) const BRIDGE: Section = Section {
    title: "Bridges",
    shown_by: "bridges; a group is one of the bridge's own file, or `?`",
    metrics: &[
        Metric::gauge(
            "redrabbit_bridge_group_reachable",
            &[("group", "a group of the bridge's file")],
            "Whether calls to the group get there, 1 or 0.",
        ),
        Metric::gauge(
            "redrabbit_bridge_calls_pending",
            &[
                ("from", "a group of the bridge's file"),
                ("to", "a group of the bridge's file"),
            ],
            "Calls between groups that were passed on and have not ended.",
        ),
        Metric::counter(
            "redrabbit_bridge_calls_total",
            &[
                ("from", "a group of the bridge's file"),
                ("to", "a group of the bridge's file, or `?`"),
                ("outcome", OUTCOMES),
            ],
            "Calls between groups that have ended, whoever ended them.",
        ),
        Metric::counter(
            "redrabbit_bridge_refused_total",
            &[
                ("from", "a group of the bridge's file"),
                ("to", "a group of the bridge's file, or `?`"),
                (
                    "reason",
                    "`hops`, `unknown_group`, `wrong_group`, `unavailable`, `forbidden`, \
                    `not_found`, `overloaded`, `deadline_exceeded`",
                ),
            ],
            "Calls among them that the bridge ended by itself and nobody was sent.",
        ),
    ],
};
