//! Where the numbers of the `metrics` facade are kept until they are asked for.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::warn;

use crate::{
    build_version,
    catalogue::{self, Kind},
    process::ProcessSample,
};

/// Reads what the process has recorded.
#[derive(Clone, Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Upper bounds of the buckets of a histogram that the catalogue does not have:
/// those of tests.
const SECONDS: [f64; 6] = [0.000_5, 0.005, 0.05, 0.5, 5.0, 50.0];

/// Shown where there are certificates.
const CERTIFICATES: &str = "redrabbit_certificate_expiry_timestamp_seconds";

/// Metrics that say something with their labels, in Prometheus' text.
static INFOS: Mutex<BTreeMap<&'static str, String>> = Mutex::new(BTreeMap::new());

impl Metrics {
    /// Records from now on, once in a process; later calls read the same
    /// numbers. What was counted before the first call is not seen, and a
    /// process that never calls it pays nothing for its metrics.
    pub fn install() -> Metrics {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = builder().build_recorder();
                let handle = recorder.handle();
                if let Err(error) = metrics::set_global_recorder(recorder) {
                    warn!(%error, "metrics go elsewhere");
                }
                catalogue::describe();
                set_info("redrabbit_build_info", &[("version", build_version())]);
                Metrics { handle }
            })
            .clone()
    }

    /// Everything in Prometheus' text format, this process's own needs
    /// included.
    pub fn to_text(&self) -> String {
        let mut text = self.handle.render();
        // Counters that are not whole numbers are kept as gauges.
        for metric in catalogue::all().filter(|metric| metric.kind == Kind::Seconds) {
            let kept = format!("# TYPE {} gauge\n", metric.name);
            if text.contains(&kept) {
                text = text.replace(&kept, &format!("# TYPE {} counter\n", metric.name));
            }
        }
        for (name, labels) in infos().iter() {
            describe(&mut text, name);
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name}{{{labels}}} 1");
        }
        if let Some(end) = protocol::tls::earliest_end() {
            describe(&mut text, CERTIFICATES);
            // As above.
            let _ = writeln!(text, "{CERTIFICATES} {end}");
        }
        ProcessSample::take().write(&mut text);
        text
    }

    /// Folds what histograms have gathered. To be done every few seconds, or
    /// they grow until they are next read.
    pub fn fold(&self) {
        self.handle.run_upkeep();
    }
}

/// Says something with a metric that is always 1. What it said before is forgotten,
/// so that a label which changes all the time makes no time series of the past.
pub fn set_info(name: &'static str, labels: &[(&str, &str)]) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    infos().insert(name, labels.join(","));
}

/// The lines before the samples of a metric.
pub(crate) fn describe(text: &mut String, name: &str) {
    if let Some(metric) = catalogue::find(name) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "# HELP {name} {}", metric.help);
        let _ = writeln!(text, "# TYPE {name} {}", metric.kind.as_str());
    }
}

fn infos() -> MutexGuard<'static, BTreeMap<&'static str, String>> {
    INFOS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

fn builder() -> PrometheusBuilder {
    const BUCKETS: &str = "the list of buckets is not empty";
    let builder = PrometheusBuilder::new();
    let mut builder = builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .expect(BUCKETS);
    for metric in catalogue::all() {
        if let Kind::Histogram(buckets) = metric.kind {
            let name = Matcher::Full(metric.name.to_owned());
            builder = builder
                .set_buckets_for_metric(name, buckets)
                .expect(BUCKETS);
        }
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_has_one_time_series_whatever_its_labels_say() {
        set_info("redrabbit_script_info", &[("hash", "old")]);
        set_info("redrabbit_script_info", &[("hash", "a \"new\"\none")]);
        let text = Metrics::install().to_text();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("redrabbit_script_info"))
            .collect();
        assert_eq!(
            lines,
            ["redrabbit_script_info{hash=\"a \\\"new\\\"\\none\"} 1"]
        );
        assert!(text.contains("# TYPE redrabbit_script_info gauge\n"));
    }

    #[test]
    fn counted_seconds_are_a_counter_to_prometheus() {
        let metrics = Metrics::install();
        metrics::gauge!("redrabbit_handler_seconds_total", "handler" => "f").set(0.25);
        let text = metrics.to_text();
        assert!(text.contains("# TYPE redrabbit_handler_seconds_total counter\n"));
        assert!(text.contains("redrabbit_handler_seconds_total{handler=\"f\"} 0.25\n"));
    }
    #[test]
    fn the_end_of_certificates_is_shown_where_there_are_any() {
        let metrics = Metrics::install();
        assert!(!metrics.to_text().contains(CERTIFICATES));
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["0.gate.GroupA".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let files = protocol::tls::TlsFiles {
            authority: certificate.clone(),
            certificate,
            key,
        };
        let tls = protocol::tls::Tls::load(files).unwrap();
        let end = tls.ends().certificate.unwrap();
        let text = metrics.to_text();
        assert!(text.contains(&format!(
            "# TYPE {CERTIFICATES} gauge\n{CERTIFICATES} {end}\n"
        )));
    }
}
