//! What each function of a script takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::{Counter, Gauge, counter, gauge};
use pyo3::prelude::*;

use crate::{observe::activity::Label, script::host::Host};

/// How often a function was called, and for how long it has run. Written by the
/// script's thread alone, at the price of two loads and two stores; published by
/// the watchdog once a second.
#[derive(Debug)]
pub(crate) struct Meter {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
    published: Published,
}

struct Published {
    calls: Counter,
    seconds: Gauge,
}

impl Meter {
    /// For a function, and the command whose frames it takes.
    pub(crate) fn new(handler: &str, cmd: Option<u16>) -> Arc<Self> {
        let handler: Arc<str> = handler.into();
        let cmd = cmd.map(|cmd| cmd.to_string()).unwrap_or_default();
        Arc::new(Meter {
            calls: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
            published: Published {
                calls: counter!(
                    "redrabbit_handler_calls_total",
                    "handler" => handler.clone(), "cmd" => cmd.clone()
                ),
                // A counter of the recorder's would count whole seconds.
                seconds: gauge!(
                    "redrabbit_handler_seconds_total",
                    "handler" => handler, "cmd" => cmd
                ),
            },
        })
    }

    pub(crate) fn called(&self) {
        self.calls.store(self.calls() + 1, Ordering::Relaxed);
    }

    fn ran(&self, time: Duration) {
        let more = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let all = self.nanoseconds.load(Ordering::Relaxed);
        self.nanoseconds
            .store(all.saturating_add(more), Ordering::Relaxed);
    }

    /// Tells whoever collects metrics.
    pub(crate) fn publish(&self) {
        let calls = self.calls();
        if calls > 0 {
            let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
            self.published.calls.absolute(calls);
            self.published
                .seconds
                .set(Duration::from_nanos(nanoseconds).as_secs_f64());
        }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Published")
    }
}

impl Host {
    /// A batch begins.
    pub(crate) fn begin_round(&self) {
        self.clock.set(Instant::now());
        self.in_round.set(true);
    }

    /// Something of the script's begins to run, outside of a batch perhaps.
    pub(crate) fn begin_step(&self) {
        if !self.in_round.get() {
            self.clock.set(Instant::now());
        }
    }

    /// What runs has taken the time since the clock was last looked at. Within a
    /// batch that is when the one before it ended, so that the reading of a
    /// message counts, too; and it saves every other look.
    pub(crate) fn measure(&self, label: &Label) {
        let now = Instant::now();
        let before = self.clock.replace(now);
        label.meter.ran(now.saturating_duration_since(before));
    }

    /// What is done once a second. The watchdog wakes the thread that often.
    pub(crate) fn do_chores(&self, py: Python<'_>) {
        const PERIOD: Duration = Duration::from_secs(1);
        let now = self.clock.get();
        if now.saturating_duration_since(self.chores_at.get()) < PERIOD {
            return;
        }
        self.chores_at.set(now);
        self.report_withheld();
        let is_quiet = self.events.replace(0) == 0;
        let tasks = self.python.chores.bind(py).call1((is_quiet,));
        match tasks.and_then(|tasks| tasks.extract::<u32>()) {
            Ok(tasks) => gauge!("redrabbit_script_tasks").set(tasks),
            Err(error) => self.report(py, "loop", "tasks", "", &error),
        }
    }
}
