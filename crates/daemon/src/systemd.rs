//! What the service manager hears of us: ready, status, stopping, alive.
//!
//! Every message is a courtesy. Where nobody listens (no `NOTIFY_SOCKET`) it
//! goes nowhere, and where sending fails, the daemon goes on.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::{task::JoinHandle, time::MissedTickBehavior};
use tracing::debug;

/// The daemon does its work from now on.
pub fn ready() {
    send(&[NotifyState::Ready]);
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
            send(&[NotifyState::Watchdog]);
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
