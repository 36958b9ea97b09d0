//! What this process takes from the system, in the words that Prometheus has
//! for it.

use std::{fmt::Write, fs};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

use crate::recorder::describe;

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
    /// Memory addressed.
    pub virtual_bytes: Option<u64>,
    /// When it was started, in seconds since 1970.
    pub started_at: Option<f64>,
}

impl ProcessSample {
    /// Looks at this process.
    pub fn take() -> ProcessSample {
        let stat = Stat::read();
        ProcessSample {
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current,
            resident_bytes: stat.as_ref().map(Stat::resident_bytes),
            cpu_seconds: stat.as_ref().map(Stat::cpu_seconds),
            threads: stat.as_ref().map(|stat| stat.threads),
            virtual_bytes: stat.as_ref().map(|stat| stat.virtual_bytes),
            started_at: stat.as_ref().and_then(|stat| started_at(stat.started)),
        }
    }

    /// Looks at what is read from one file alone: the processor time and the memory.
    pub(crate) fn brief() -> ProcessSample {
        let stat = Stat::read();
        ProcessSample {
            resident_bytes: stat.as_ref().map(Stat::resident_bytes),
            cpu_seconds: stat.as_ref().map(Stat::cpu_seconds),
            ..ProcessSample::default()
        }
    }

    /// Appends the sample in Prometheus' text format. It is written by hand because
    /// the counters of the recorder are whole numbers, and seconds are not.
    pub fn write(&self, text: &mut String) {
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                describe(text, name);
                // Writing to a String does not fail.
                let _ = writeln!(text, "{name} {value}");
            }
        };
        let whole = |value: Option<u64>| value.map(|value| value.to_string());
        let seconds = |value: Option<f64>| value.map(|value| format!("{value:.2}"));
        line("process_start_time_seconds", seconds(self.started_at));
        line("process_cpu_seconds_total", seconds(self.cpu_seconds));
        line("process_resident_memory_bytes", whole(self.resident_bytes));
        line("process_virtual_memory_bytes", whole(self.virtual_bytes));
        line("process_open_fds", whole(self.open_fds));
        line("process_max_fds", whole(self.max_fds));
        line("process_threads", whole(self.threads));
    }
}

/// The parts of `/proc/self/stat` that we report.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    /// In ticks since the machine was started.
    started: u64,
    virtual_bytes: u64,
    pages: u64,
}

impl Stat {
    fn read() -> Option<Stat> {
        Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn resident_bytes(&self) -> u64 {
        self.pages * page_size() as u64
    }

    fn cpu_seconds(&self) -> f64 {
        self.ticks as f64 / clock_ticks_per_second() as f64
    }

    /// Fields are counted as in proc(5), from 1. The second is the program's
    /// name in parentheses, and may itself hold spaces and parentheses.
    fn parse(text: &str) -> Option<Stat> {
        let (_, behind_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            started: field(22)?,
            virtual_bytes: field(23)?,
            pages: field(24)?,
        })
    }
}

/// Counted from the start of the machine, as the kernel knows it.
fn started_at(ticks: u64) -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let mut lines = stat.lines();
    let booted: u64 = lines
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(booted as f64 + ticks as f64 / clock_ticks_per_second() as f64)
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
                started: 12345,
                virtual_bytes: 1_000_000,
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
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - sample.started_at.unwrap();
        assert!((-2.0..600.0).contains(&age), "{age} s old");
    }

    #[test]
    fn seconds_are_not_rounded_to_whole_ones() {
        let sample = ProcessSample {
            cpu_seconds: Some(1.25),
            ..ProcessSample::default()
        };
        let mut text = String::new();
        sample.write(&mut text);
        assert_eq!(
            text,
            "# HELP process_cpu_seconds_total Processor time taken.\n\
             # TYPE process_cpu_seconds_total counter\n\
             process_cpu_seconds_total 1.25\n"
        );
    }
}
