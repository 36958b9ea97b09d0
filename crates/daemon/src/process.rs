//! What this process takes from the system, in the words that Prometheus has
//! for it.

use std::{fmt::Write, fs};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// What a process has taken at one moment. What could not be read is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessSample {
    /// Files and sockets open.
    pub open_fds: Option<u64>,
    /// Files and sockets that may be open.
    pub max_fds: Option<u64>,
    /// Memory in RAM.
    pub resident_bytes: Option<u64>,
    /// Processor time taken since it started, by itself and on its behalf.
    pub cpu_seconds: Option<f64>,
    /// Threads alive.
    pub threads: Option<u64>,
}

impl ProcessSample {
    /// Looks at this process.
    pub fn take() -> ProcessSample {
        let stat = fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|text| Stat::parse(&text));
        ProcessSample {
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current,
            resident_bytes: stat.as_ref().map(|stat| stat.pages * page_size() as u64),
            cpu_seconds: stat
                .as_ref()
                .map(|stat| stat.ticks as f64 / clock_ticks_per_second() as f64),
            threads: stat.as_ref().map(|stat| stat.threads),
        }
    }

    /// The sample in Prometheus' text format. It is written by hand because
    /// the counters of the recorder are whole numbers, and seconds are not.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, kind: &str, help: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a String does not fail.
                let _ = write!(
                    text,
                    "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
                );
            }
        };
        let whole = |value: Option<u64>| value.map(|value| value.to_string());
        line(
            "process_open_fds",
            "gauge",
            "Files and sockets open.",
            whole(self.open_fds),
        );
        line(
            "process_max_fds",
            "gauge",
            "Files and sockets that may be open.",
            whole(self.max_fds),
        );
        line(
            "process_resident_memory_bytes",
            "gauge",
            "Memory in RAM.",
            whole(self.resident_bytes),
        );
        line(
            "process_cpu_seconds_total",
            "counter",
            "Processor time taken.",
            self.cpu_seconds.map(|seconds| format!("{seconds:.2}")),
        );
        line(
            "process_threads",
            "gauge",
            "Threads alive.",
            whole(self.threads),
        );
        text
    }
}

/// The parts of `/proc/self/stat` that we report.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    pages: u64,
}

impl Stat {
    /// Fields are counted as in proc(5), from 1. The second is the program's
    /// name in parentheses, and may itself hold spaces and parentheses.
    fn parse(text: &str) -> Option<Stat> {
        let (_, behind_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            pages: field(24)?,
        })
    }
}

fn open_fds() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    // Reading the directory takes one itself.
    Some(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_an_odd_name_is_read_right() {
        let text = "42 (odd) (name) S 1 42 42 0 -1 4194560 100 0 0 0 \
                    250 50 0 0 20 0 7 0 12345 1000000 321 18446744073709551615";
        let stat = Stat::parse(text);
        assert_eq!(
            stat,
            Some(Stat {
                ticks: 300,
                threads: 7,
                pages: 321
            })
        );
    }

    #[test]
    fn what_is_not_a_stat_line_is_no_sample() {
        for text in ["", "42", "42 (name)", "42 (name) S 1 2"] {
            assert_eq!(Stat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_has_files_memory_and_threads() {
        let sample = ProcessSample::take();
        assert!(sample.open_fds > Some(2), "{sample:?}");
        assert!(sample.resident_bytes > Some(100_000), "{sample:?}");
        assert!(sample.threads > Some(0), "{sample:?}");
        assert!(sample.cpu_seconds.is_some(), "{sample:?}");
    }

    #[test]
    fn seconds_are_not_rounded_to_whole_ones() {
        let sample = ProcessSample {
            cpu_seconds: Some(1.25),
            ..ProcessSample::default()
        };
        assert_eq!(
            sample.to_text(),
            "# HELP process_cpu_seconds_total Processor time taken.\n\
             # TYPE process_cpu_seconds_total counter\n\
             process_cpu_seconds_total 1.25\n"
        );
    }
}
