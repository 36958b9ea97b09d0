//! Says which handler holds the script's thread up, and where in it.
//!
//! The thread is asked for a sign of life, which it gives between two events.
//! If none comes, its stack is asked for with a signal: Python's `faulthandler`
//! writes it into a pipe from within the signal, even while C code holds the
//! interpreter's lock.

use std::{
    io::{self, PipeWriter},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use daemon::systemd::hold_watchdog;
use metrics::counter;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use crate::{Inbox, observe::activity::Activity, times::Times};

/// The thread to watch, for as long as it can be sent signals.
#[derive(Debug, Default)]
pub(crate) struct Target(Mutex<Option<libc::pthread_t>>);

/// Watches the script's thread.
pub(crate) struct Watchdog {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) target: Arc<Target>,
    /// How long nothing may happen.
    pub(crate) times: Arc<Times>,
    pub(crate) stacks: pipe::Receiver,
}

/// Where the thread's stack is written to.
#[derive(Debug)]
pub(crate) struct StackWriter(PipeWriter);

/// How long to wait for a stack, and for more of it.
const FIRST_WORD: Duration = Duration::from_millis(500);
const NEXT_WORD: Duration = Duration::from_millis(20);

/// How often what functions of the script take is published.
const PUBLISHED_EVERY: Duration = Duration::from_secs(1);

/// After so long without a sign of life the process does not count as alive. It is the
/// unit of the scene that says how long that may last.
const STUCK: Duration = Duration::from_secs(2);

/// Longer stacks are cut.
const LONGEST_STACK: usize = 16 << 10;

/// Asks a thread for its stack. A real-time signal: the others may be used by
/// scripts and by the libraries that they load.
pub(crate) fn signal_number() -> libc::c_int {
    libc::SIGRTMIN() + 6
}

/// A pipe for stacks. To be called within a tokio runtime.
pub(crate) fn stack_pipe() -> io::Result<(pipe::Receiver, StackWriter)> {
    let (reader, writer) = io::pipe()?;
    let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    Ok((reader, StackWriter(writer)))
}

impl StackWriter {
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// While it lives, the thread that made it can be sent the signal.
#[derive(Debug)]
pub(crate) struct Watched<'t>(&'t Target);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Target {
    /// The calling thread can be sent the signal, whose handler it has installed,
    /// until the guard is dropped.
    pub(crate) fn watch_this_thread(&self) -> Watched<'_> {
        // SAFETY: takes nothing and cannot fail.
        *self.lock() = Some(unsafe { libc::pthread_self() });
        Watched(self)
    }

    /// Asks the thread for its stack; false if it cannot be asked.
    fn ask_for_stack(&self) -> bool {
        // Held while the signal is sent, so that the thread cannot end before.
        let target = self.lock();
        // SAFETY: the thread is alive, and has a handler for the signal: the
        // guard that it holds takes it out of here before either ends.
        target.is_some_and(|thread| unsafe { libc::pthread_kill(thread, signal_number()) } == 0)
    }

    fn lock(&self) -> MutexGuard<'_, Option<libc::pthread_t>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Often enough to notice it in time.
fn ticks_for(limit: Duration) -> Interval {
    let period = (limit / 4).clamp(Duration::from_millis(5), Duration::from_millis(250));
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Watchdog {
    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut limit = self.times.handler_warn();
        let mut ticks = ticks_for(limit);
        let mut asked_at = Instant::now();
        let mut next_report = limit;
        let mut published_at = Instant::now();
        loop {
            ticks.tick().await;
            if self.times.handler_warn() != limit {
                limit = self.times.handler_warn();
                ticks = ticks_for(limit);
                next_report = limit;
            }
            if published_at.elapsed() >= PUBLISHED_EVERY {
                published_at = Instant::now();
                self.activity.publish();
            }
            let blocked = asked_at.elapsed();
            let is_answered = self.activity.is_answered();
            // A service manager sees no difference between a script and its daemon.
            hold_watchdog(!is_answered && blocked >= STUCK);
            if is_answered {
                if next_report > limit {
                    let seconds = blocked.as_secs_f32();
                    info!(target: "script", seconds, "script runs again");
                }
                next_report = limit;
                asked_at = Instant::now();
                self.activity.ask();
                self.inbox.wake();
            } else if blocked >= next_report {
                self.report(blocked).await;
                // Again, but ever more rarely.
                next_report = blocked * 2;
            }
        }
    }

    async fn report(&mut self, blocked: Duration) {
        let handler = self.activity.current();
        let stack = if self.target.ask_for_stack() {
            self.read_stack().await
        } else {
            String::new()
        };
        counter!("redrabbit_script_blocked_total").increment(1);
        warn!(
            target: "script",
            handler = handler.as_deref().unwrap_or("a task"),
            seconds = blocked.as_secs_f32(),
            %stack,
            "script blocked"
        );
    }

    /// Reads until no more comes.
    async fn read_stack(&mut self) -> String {
        let mut stack = vec![b'\n'];
        let mut patience = FIRST_WORD;
        while stack.len() < LONGEST_STACK {
            match timeout(patience, self.stacks.read_buf(&mut stack)).await {
                Ok(Ok(1..)) => patience = NEXT_WORD,
                _ => break,
            }
        }
        String::from_utf8_lossy(&stack).trim_end().to_owned()
    }
}
