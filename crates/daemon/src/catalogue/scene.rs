//! What scenes measure: the script, its sessions, its services.

use super::{Kind, Metric, Section};

const HANDLER: (&str, &str) = (
    "handler",
    "a function of the script, of the first 1,000 that are measured; `others` for the rest",
);

pub(super) const SECTION: Section = Section {
    title: "Scenes",
    shown_by: "scenes",
    metrics: &[
        Metric::gauge(
            "redrabbit_scene_sessions",
            &[],
            "Sessions that are in the scene.",
        ),
        Metric::counter(
            "redrabbit_scene_events_total",
            &[],
            "Events that the script's thread has taken from its inbox.",
        ),
        Metric::gauge(
            "redrabbit_script_inbox_events",
            &[],
            "Events that have arrived and that the script's thread has not taken.",
        ),
        Metric::gauge(
            "redrabbit_script_outbox_bytes",
            &[],
            "Bytes of messages of the script that the network has not taken.",
        ),
        Metric {
            name: "redrabbit_script_info",
            kind: Kind::Info,
            labels: &[
                ("version", "how many times a script was loaded"),
                ("hash", "of the source; there is one time series at a time"),
            ],
            help: "Always 1; its labels say which script runs.",
        },
        Metric::counter(
            "redrabbit_script_loads_total",
            &[("outcome", "`ok`, `failed`")],
            "Loads of the script or of a part of it.",
        ),
        Metric::counter(
            "redrabbit_handler_calls_total",
            &[
                HANDLER,
                ("cmd", "the command whose frames it takes, or empty"),
            ],
            "Calls of functions of the script.",
        ),
        Metric {
            name: "redrabbit_handler_seconds_total",
            kind: Kind::Seconds,
            labels: &[
                HANDLER,
                ("cmd", "the command whose frames it takes, or empty"),
            ],
            help: "Time that the functions have run, waiting not counted.",
        },
        Metric::counter(
            "redrabbit_handler_timeouts_total",
            &[(
                "kind",
                "one of a fixed list: `call`, `enter`, `leave`, `verify` and the like",
            )],
            "Handlers that were ended at their time limit.",
        ),
        Metric::counter(
            "redrabbit_script_errors_total",
            &[
                (
                    "kind",
                    "one of a fixed list: `call`, `timer`, `task`, `callback` and the like",
                ),
                HANDLER,
            ],
            "Functions of the script that have raised or returned what is of no use.",
        ),
        Metric::counter(
            "redrabbit_script_blocked_total",
            &[],
            "Times that a function has blocked the script's thread for longer than \
            `limits.handler_warn`.",
        ),
        Metric::gauge("redrabbit_script_tasks", &[], "Tasks of asyncio alive."),
        Metric::counter(
            "redrabbit_verifications_total",
            &[(
                "outcome",
                "one of a fixed list: `accepted`, `refused`, `unavailable` and the like",
            )],
            "Clients that asked to be let in.",
        ),
        Metric::counter(
            "redrabbit_unknown_cmds_total",
            &[],
            "Frames whose command nothing handles.",
        ),
        Metric::counter(
            "redrabbit_bad_bodies_total",
            &[],
            "Frames and calls whose body is not of its handler's type.",
        ),
        Metric::counter(
            "redrabbit_bad_messages_total",
            &[(
                "method",
                "one of the methods by which gates speak to scenes",
            )],
            "Messages of nodes that could not be read, or were not theirs to send.",
        ),
        Metric::counter(
            "redrabbit_messages_dropped_total",
            &[(
                "reason",
                "a kind of error as of `redrabbit_node_calls_total`, `outbox_full` or \
                `group_lost`",
            )],
            "Messages of the script that came to nothing.",
        ),
        Metric::counter(
            "redrabbit_stale_frames_total",
            &[],
            "Frames of sessions that were not in the scene any more.",
        ),
        Metric::counter(
            "redrabbit_scene_left_total",
            &[("how", "`leave`, `offline`")],
            "Sessions that are over in the scene.",
        ),
        Metric::counter(
            "redrabbit_scene_changes_refused_total",
            &[],
            "Changes of scene that the script wanted and that were refused.",
        ),
        Metric::counter(
            "redrabbit_service_calls_total",
            &[("outcome", "as of `redrabbit_node_calls_total`")],
            "Calls of the script's services.",
        ),
        Metric::counter(
            "redrabbit_database_statements_total",
            &[("outcome", "one of a fixed list, `ok` among them")],
            "Statements for databases.",
        ),
        Metric::counter(
            "redrabbit_snapshots_total",
            &[("outcome", "`written`, `restored`, `unused`, `failed`")],
            "Snapshots of the script's state.",
        ),
        Metric::gauge(
            "redrabbit_owner_awaited_nodes",
            &[("kind", "`gate`, `scene`")],
            "Nodes that the owner of sessions waits for before it lets anybody in.",
        ),
        Metric::counter(
            "redrabbit_owner_claims_total",
            &[("outcome", "one of a fixed list, `withdrawn` among them")],
            "Logins for which the owner of sessions was asked.",
        ),
        Metric::counter(
            "redrabbit_owner_retries_total",
            &[("errand", "one of a fixed list")],
            "Errands of the owner of sessions that had to be done again.",
        ),
    ],
};
