//! `redrabbit bots`: clients that send numbers, and look whether they come back.
//!
//! A `bot` is one task with one connection; its `ledger` tells what was lost,
//! repeated or out of order, its `pace` when it sends, and both are free of I/O.
//! All bots count into one `tally`, from which the `progress` on the terminal
//! and the `report` at the end are made. The bots have one thread, the terminal
//! another: one that is held up does not slow them down.

mod args;
mod bot;
mod door;
mod echo;
mod ledger;
mod pace;
mod progress;
mod report;
mod tally;

use std::{sync::Arc, time::Duration};

use daemon::{Exit, Shutdown};
use tokio::{
    runtime,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use args::{BotsArgs, BotsError};
use bot::{Bot, Shared};
use progress::{Progress, Sample};
use report::Report;
use tally::{Tally, microseconds};

/// Files that are open beside the bots' connections.
const OTHER_FILES: u64 = 64;

/// How often the terminal is told.
const TICK: Duration = Duration::from_secs(1);

/// Lets bots loose, and gives what to print of them, and whether all went well.
///
/// # Errors
/// [`BotsError`]: no bot was let loose.
pub fn run(args: &BotsArgs) -> Result<(String, Exit), BotsError> {
    let shared = Arc::new(args.shared()?);
    let files = daemon::raise_file_limit()?;
    if files < args.count + OTHER_FILES {
        return Err(BotsError::Files {
            count: args.count,
            files,
        });
    }
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let herd = Herd {
        shared,
        count: args.count,
        logins_per_second: args.logins_per_second,
        duration: args.duration,
        wait: args.wait,
    };
    let report = runtime.block_on(herd.run())?;
    runtime.shutdown_background();
    let text = if args.json {
        report.to_json()
    } else {
        report.to_text()
    };
    let exit = if report.is_good() {
        Exit::Ok
    } else {
        Exit::Failure
    };
    Ok((text, exit))
}

/// All the bots.
struct Herd {
    shared: Arc<Shared>,
    count: u64,
    logins_per_second: f64,
    duration: Duration,
    wait: Duration,
}

/// What is seen of them.
struct Watch {
    progress: Progress,
    begun: Instant,
    seen: Instant,
    /// Everything that was answered so far.
    latency: hdrhistogram::Histogram<u64>,
}

impl Herd {
    async fn run(self) -> std::io::Result<Report> {
        let shutdown = Shutdown::on_signals()?;
        let begun = Instant::now();
        let bots = self.let_loose(begun);
        let end = begun + self.start_of(self.count) + self.duration;
        let mut watch = Watch::new(begun);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks.reset();
        loop {
            tokio::select! {
                _ = ticks.tick() => watch.look(&self),
                () = sleep_until(end) => break,
                () = shutdown.requested() => break,
                () = bots.wait() => break,
            }
        }
        let sending = begun.elapsed();
        self.shared.finish.cancel();
        let too_late = Instant::now() + self.wait;
        let over = &self.shared.over;
        loop {
            tokio::select! {
                () = bots.wait() => break,
                _ = ticks.tick() => watch.look(&self),
                () = sleep_until(too_late), if !over.is_cancelled() => over.cancel(),
                () = shutdown.forced(), if !over.is_cancelled() => over.cancel(),
            }
        }
        Ok(self.report(watch, sending))
    }

    fn let_loose(&self, begun: Instant) -> TaskTracker {
        let bots = TaskTracker::new();
        for index in 0..self.count {
            let bot = Bot::new(Arc::clone(&self.shared), index as usize);
            bots.spawn(bot.run(begun + self.start_of(index)));
        }
        bots.close();
        bots
    }

    /// When a bot logs in for the first time.
    fn start_of(&self, index: u64) -> Duration {
        Duration::from_secs_f64(index as f64 / self.logins_per_second)
    }

    fn report(&self, mut watch: Watch, sending: Duration) -> Report {
        watch.latency += &self.shared.tally.take_latency();
        watch.progress.finish();
        let gates = self.shared.doors.iter().map(ToString::to_string);
        let tally = &self.shared.tally;
        Report::new(tally, &watch.latency, self.count, gates.collect(), sending)
    }
}

impl Watch {
    fn new(begun: Instant) -> Watch {
        Watch {
            progress: Progress::new(),
            begun,
            seen: begun,
            latency: microseconds(),
        }
    }

    fn look(&mut self, herd: &Herd) {
        let tally = &herd.shared.tally;
        let now = Instant::now();
        let latency = tally.take_latency();
        self.latency += &latency;
        let sample = Sample {
            time: now - self.begun,
            span: now - self.seen,
            bots: herd.count,
            connected: tally.connected.get(),
            sent: tally.sent.get(),
            answered: tally.answered.get(),
            lost: tally.lost.get(),
            out_of_order: tally.out_of_order.get(),
            reconnects: tally.reconnects.get(),
            ends: tally.ends(),
        };
        self.seen = now;
        self.progress.show(sample, &latency);
    }
}

impl Shared {
    fn new(args: &BotsArgs, doors: Vec<door::Door>) -> Shared {
        Shared {
            doors,
            name: args.name.clone(),
            cmd: args.cmd,
            echo: echo::Echo::new(args.size as usize),
            speed: args.speed(),
            reconnect: args.reconnect,
            tally: Tally::new(),
            finish: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }
}
