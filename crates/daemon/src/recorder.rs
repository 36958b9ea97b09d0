//! Where the numbers of the `metrics` facade are kept until they are asked for.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::warn;

use crate::{build_version, process::ProcessSample};

/// Reads what the process has recorded.
#[derive(Clone, Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Upper bounds of the buckets of every histogram whose name ends in
/// `_seconds`: from a memory link's microseconds to the longest deadline.
const SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

impl Metrics {
    /// Records from now on, once in a process; later calls read the same
    /// numbers. What was counted before the first call is not seen, and a
    /// process that never calls it pays nothing for its metrics.
    pub fn install() -> Metrics {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = PrometheusBuilder::new()
                    .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
                    .expect("the list of buckets is not empty")
                    .build_recorder();
                let handle = recorder.handle();
                if let Err(error) = metrics::set_global_recorder(recorder) {
                    warn!(%error, "metrics go elsewhere");
                }
                metrics::describe_gauge!("redrabbit_build_info", "Always 1; see its label.");
                metrics::gauge!("redrabbit_build_info", "version" => build_version()).set(1.0);
                Metrics { handle }
            })
            .clone()
    }

    /// Everything in Prometheus' text format, this process's own needs
    /// included.
    pub fn to_text(&self) -> String {
        let mut text = self.handle.render();
        text.push_str(&ProcessSample::take().to_text());
        text
    }

    /// Folds what histograms have gathered. To be done every few seconds, or
    /// they grow until they are next read.
    pub fn fold(&self) {
        self.handle.run_upkeep();
    }
}
