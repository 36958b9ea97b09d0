//! Every metric that a daemon shows: its help, its type, its unit and its labels.
//! This is the only place that has them; the page describes a metric by what is said
//! here, and `deploy/METRICS.md` is made of it.
//!
//! Who measures something names it in its own crate. A test looks through the
//! sources for names that are not in here, and another through the pages of a group
//! that runs.

mod gate;
mod node;
mod process;
mod routing;
mod scene;

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// A metric as operators know it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, whose end is its unit.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// What tells its time series apart.
    pub labels: &'static [Label],
    /// What it says, as a sentence.
    pub help: &'static str,
}

/// A label, and the values that it may have: `a`, `b` or, in words, whose names.
pub type Label = (&'static str, &'static str);

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Only rises, and not in whole numbers: those of the recorder are, so that it
    /// is kept there as a gauge.
    Seconds,
    /// Rises and falls.
    Gauge,
    /// Always 1: what it says is in its labels.
    Info,
    /// Counts by size; these are the upper bounds.
    Histogram(&'static [f64]),
}

/// Metrics of one part of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Which part, as a heading.
    pub title: &'static str,
    /// Which daemons show them.
    pub shown_by: &'static str,
    /// In the order in which they are read best.
    pub metrics: &'static [Metric],
}

/// All of them.
pub const CATALOGUE: &[Section] = &[
    process::SECTION,
    node::SECTION,
    routing::BROKER,
    routing::REGISTRY,
    gate::SECTION,
    scene::SECTION,
    routing::BRIDGE,
];

/// How calls end.
const OUTCOMES: &str = "`ok`, `handler`, `not_found`, `unimplemented`, `unavailable`, \
    `deadline_exceeded`, `overloaded`, `too_large`, `forbidden`, `no_route`";

impl Metric {
    const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
        Metric {
            name,
            kind: Kind::Counter,
            labels,
            help,
        }
    }

    const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
        Metric {
            name,
            kind: Kind::Gauge,
            labels,
            help,
        }
    }

    /// What it is measured in; empty for what is counted in pieces.
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        let units = ["seconds", "bytes"];
        let unit = units.into_iter().find(|unit| name.ends_with(unit));
        unit.unwrap_or_default()
    }
}

impl Kind {
    /// As Prometheus calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter | Kind::Seconds => "counter",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// The metric of this name.
pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

/// All metrics, in order.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    CATALOGUE.iter().flat_map(|section| section.metrics)
}

/// Tells the recorder of the process what each of them is.
pub(crate) fn describe() {
    for metric in all() {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Seconds | Kind::Gauge | Kind::Info => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.help),
        }
    }
}

/// The table for operators, in Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
        <!-- Made of crates/daemon/src/catalogue; do not edit. Make it anew with\n     \
        UPDATE_REFERENCE=1 cargo test -p daemon --test catalogue -->\n\n\
        What daemons show at `/metrics`, in Prometheus' text format, where the topology\n\
        gives them an `http` address. A counter begins at 0 with its process, and one\n\
        that is labelled is shown from the first time that it counts something. Labels\n\
        have the values listed here and no others, or as many as is said.\n",
    );
    for section in CATALOGUE {
        page.push_str(&format!(
            "\n## {}\n\nShown by {}.\n\n",
            section.title, section.shown_by
        ));
        page.push_str("| name | type | unit | labels | |\n|---|---|---|---|---|\n");
        for metric in section.metrics {
            let labels = metric.labels.iter();
            let labels: Vec<String> = labels
                .map(|(name, values)| format!("`{name}`: {values}"))
                .collect();
            page.push_str(&format!(
                "| `{}` | {} | {} | {} | {} |\n",
                metric.name,
                metric.kind.as_str(),
                metric.unit(),
                labels.join("; "),
                metric.help
            ));
        }
    }
    page
}
