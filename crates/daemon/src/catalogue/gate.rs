//! What gates measure: clients and their frames.

use super::{Kind, Metric, Section};

/// From a scene of the same process to the longest patience.
const VERIFICATIONS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

pub(super) const SECTION: Section = Section {
    title: "Gates",
    shown_by: "gates",
    metrics: &[
        Metric::gauge(
            "redrabbit_gate_sessions",
            &[],
            "Clients that have been let in, and are there or may come back.",
        ),
        Metric::gauge(
            "redrabbit_gate_sessions_away",
            &[],
            "Those of them whose connection is lost, and who may come back.",
        ),
        Metric::counter(
            "redrabbit_gate_resumes_total",
            &[(
                "outcome",
                "`resumed`, `resume_refused`, `replaced` by a later one, `protocol_error`",
            )],
            "Clients that have come back to go on with their session.",
        ),
        Metric::counter(
            "redrabbit_gate_compressed_bytes_total",
            &[("side", "`before` and `after`")],
            "Messages that were compressed, once for all who get them: their bytes.",
        ),
        Metric::counter(
            "redrabbit_gate_tickets_total",
            &[(
                "outcome",
                "`given` to a client that another gate sends here, `used` by it, `lapsed` since it \
                has not come, `refused` since there is no such ticket, or not any more",
            )],
            "Tickets of clients that other gates have let in for this one.",
        ),
        Metric::gauge(
            "redrabbit_gate_sessions_limit",
            &[],
            "Clients that the gate takes, as the topology has it.",
        ),
        Metric::gauge(
            "redrabbit_gate_connections",
            &[("transport", "`tcp`, `websocket`")],
            "Open connections, let in or not.",
        ),
        Metric::counter(
            "redrabbit_gate_accepted_total",
            &[("transport", "`tcp`, `websocket`")],
            "Connections accepted.",
        ),
        Metric::counter(
            "redrabbit_gate_accept_errors_total",
            &[],
            "Connections that the system would not accept.",
        ),
        Metric::counter(
            "redrabbit_gate_refused_total",
            &[("reason", "as of `redrabbit_gate_closed_total`")],
            "Connections that ended before they were let in.",
        ),
        Metric::counter(
            "redrabbit_gate_closed_total",
            &[(
                "reason",
                "`client_closed`, `socket_error`, `verify_timeout`, `verify_refused`, \
                `verify_unavailable`, `unverified_frame`, `protocol_error`, `frame_too_large`, \
                `idle`, `slow_consumer`, `rate_limited`, `gate_full`, `address_full`, \
                `replaced`, `closed_by_scene`, `scene_lost`, `group_lost`, `draining`, \
                `crowded_out`, `resume_refused`, `tls_failed`, `origin_refused`, \
                `proxy_header`, `ticket_refused`, `no_gate`, `redirected`",
            )],
            "Connections that ended, those refused among them.",
        ),
        Metric {
            name: "redrabbit_gate_verify_seconds",
            kind: Kind::Histogram(VERIFICATIONS),
            labels: &[],
            help: "How long the verifying scene took to answer.",
        },
        Metric::counter(
            "redrabbit_gate_frames_total",
            &[("direction", "`in` from clients, `out` to them")],
            "Frames from and to clients.",
        ),
        Metric::counter(
            "redrabbit_gate_bytes_total",
            &[("direction", "`in` from clients, `out` to them")],
            "Bytes of these frames, heads included.",
        ),
        Metric::gauge(
            "redrabbit_gate_queue_frames",
            &[],
            "Frames that wait in the send queues of all sessions.",
        ),
        Metric::gauge(
            "redrabbit_gate_queue_bytes",
            &[],
            "Bytes that wait in the send queues of all sessions.",
        ),
        Metric::counter(
            "redrabbit_gate_paused_total",
            &[("reason", "`rate`, `session_window`, `scene_window`, `held`")],
            "Times that the reading of a client's socket was stopped.",
        ),
        Metric::counter(
            "redrabbit_gate_dropped_total",
            &[(
                "reason",
                "`unknown_login`, `slow_consumer`, `closing`, `malformed`, `not_holder`, \
                `too_many_channels`, `outdated`: a newer one has taken its place",
            )],
            "Messages of scenes for or about clients that came to nothing.",
        ),
        Metric::counter(
            "redrabbit_gate_frames_lost_total",
            &[],
            "Frames of clients that went with a scene that had not finished them.",
        ),
        Metric::counter(
            "redrabbit_gate_frames_unsent_total",
            &[],
            "Frames of clients that went with their session before a scene was sent them.",
        ),
    ],
};
