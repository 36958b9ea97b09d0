//! What the service manager hears of us: ready, status, stopping, alive.
//!
//! Every message is a courtesy. Where nobody listens (no `NOTIFY_SOCKET`) it
//! goes nowhere, and where sending fails, the daemon goes on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tracing::debug;

/// The daemon does its work from now on.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The daemon reads its topology again; [`ready`] says that it has.
pub fn reloading() {
    // The time of it is what newer service managers ask for.
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now().ok());
    send(&states);
}

/// The daemon has begun to stop.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// One line on how the daemon is, as `systemctl status` shows it.
pub fn status(text: &str) {
    // A line feed would begin the next assignment of the message.
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    send(&[NotifyState::Status(&line)]);
}

/// Whether a loop on which the process depends is stuck, though the runtime is not.
static HELD: AtomicBool = AtomicBool::new(false);

/// Another loop than the runtime's says how it is, that of a script: while `held`, the
/// service manager is not told that the process is alive, and puts an end to it when that
/// has lasted for as long as the unit says.
pub fn hold_watchdog(held: bool) {
    HELD.store(held, Ordering::Relaxed);
}

/// Tells the service manager again and again that the runtime still runs its
/// tasks, if the unit asks for it (`WatchdogSec=`): twice in each period, from
/// a task of the runtime, so that a runtime that is stuck falls silent.
pub fn spawn_watchdog() -> Option<JoinHandle<()>> {
    let period = ping_period(sd_notify::watchdog_enabled())?;
    Some(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !HELD.load(Ordering::Relaxed) {
                send(&[NotifyState::Watchdog]);
            }
        }
    }))
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "service manager not told");
    }
}

/// How often to ping for a watchdog of `timeout`; never more than a thousand
/// times a second.
fn ping_period(timeout: Option<Duration>) -> Option<Duration> {
    let timeout = timeout.filter(|timeout| !timeout.is_zero())?;
    Some((timeout / 2).max(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_pinged_twice_a_period() {
        let period = ping_period(Some(Duration::from_secs(10)));
        assert_eq!(period, Some(Duration::from_secs(5)));
    }

    #[test]
    fn no_watchdog_no_pings() {
        assert_eq!(ping_period(None), None);
        assert_eq!(ping_period(Some(Duration::ZERO)), None);
    }
}
