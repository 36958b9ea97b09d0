//! How a bridge stands in a group, looked at whenever that may have changed.

use std::{sync::Arc, time::Duration};

use protocol::{CallError, ErrorKind};
use tokio::{
    select,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{bridge::PATIENCE, groups::Groups};

/// A bridge hears of what changes; it looks by itself for what it was not told, such
/// as a master that has taken it back and is another run of the group.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Since when a group has not been reached.
#[derive(Debug, Default)]
struct Outage {
    since: Option<Instant>,
}

/// Watches the group at `place`. A group that is not reached for a lease has the calls
/// that wait for it ended: a master's restart is over before, and they are answered.
pub(crate) async fn watch(groups: Arc<Groups>, place: usize, stop: CancellationToken) {
    let member = &groups.members()[place];
    let Some(node) = member.node() else {
        return;
    };
    let (mut reach, mut outage) = (node.reach(), Outage::default());
    loop {
        groups.look(place);
        let left = outage.look(member.is_reachable(), Instant::now());
        if left.is_some_and(|left| left.is_zero()) && node.pending_calls() > 0 {
            warn!(group = %member.name, calls = node.pending_calls(), "calls to a group that is not reached any more are given up");
            node.end_calls(&given_up(&groups, place));
        }
        let pause = left.filter(|left| !left.is_zero());
        let pause = pause.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
        select! {
            () = stop.cancelled() => return,
            changed = timeout(pause, reach.changed()) => {
                if let Ok(Err(_)) = changed {
                    return;
                }
            }
        }
    }
}

fn given_up(groups: &Groups, place: usize) -> CallError {
    let (bridge, group) = (&groups.bridge, &groups.members()[place].name);
    let message = format!(
        "{bridge} has not reached {group} for {} s: the call may or may not have been done",
        PATIENCE.as_secs()
    );
    CallError::new(ErrorKind::Unavailable, message)
}

impl Outage {
    /// How long the calls that wait are left waiting yet; `None` while the group is
    /// reached.
    fn look(&mut self, reachable: bool, now: Instant) -> Option<Duration> {
        if reachable {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        Some(PATIENCE.saturating_sub(now.saturating_duration_since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_given_up_when_their_group_was_not_reached_for_a_lease() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert_eq!(outage.look(true, start), None);
        assert_eq!(outage.look(false, start), Some(PATIENCE));
        assert_eq!(
            outage.look(false, start + PATIENCE / 3),
            Some(PATIENCE * 2 / 3)
        );
        // It was reached again in between.
        assert_eq!(outage.look(true, start + PATIENCE / 2), None);
        assert_eq!(outage.look(false, start + PATIENCE), Some(PATIENCE));
        assert_eq!(
            outage.look(false, start + 2 * PATIENCE),
            Some(Duration::ZERO)
        );
        assert_eq!(
            outage.look(false, start + 9 * PATIENCE),
            Some(Duration::ZERO)
        );
    }
}
