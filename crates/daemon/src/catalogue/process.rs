//! What a process takes, and which it is: the names that Prometheus' own libraries
//! have for it.

use super::{Kind, Metric, Section};

pub(super) const SECTION: Section = Section {
    title: "Processes",
    shown_by: "every daemon",
    metrics: &[
        Metric {
            name: "redrabbit_build_info",
            kind: Kind::Info,
            labels: &[("version", "the program's version and commit")],
            help: "Always 1; see its label.",
        },
        Metric {
            name: "process_start_time_seconds",
            kind: Kind::Gauge,
            labels: &[],
            help: "When the process was started, in seconds since 1970.",
        },
        Metric {
            name: "process_cpu_seconds_total",
            kind: Kind::Seconds,
            labels: &[],
            help: "Processor time taken.",
        },
        Metric::gauge("process_resident_memory_bytes", &[], "Memory in RAM."),
        Metric::gauge("process_virtual_memory_bytes", &[], "Memory addressed."),
        Metric::gauge("process_open_fds", &[], "Files and sockets open."),
        Metric::gauge(
            "process_max_fds",
            &[],
            "Files and sockets that may be open.",
        ),
        Metric::gauge("process_threads", &[], "Threads alive."),
        Metric::gauge(
            "redrabbit_certificate_expiry_timestamp_seconds",
            &[],
            "When the first of the certificates ends that the daemon goes by, its own and the authority's, in seconds since 1970; not shown without TLS.",
        ),
        Metric::counter(
            "redrabbit_tls_handshakes_failed_total",
            &[("reason", "one of a fixed list, of a word or two each")],
            "TLS handshakes that came to nothing.",
        ),
    ],
};
