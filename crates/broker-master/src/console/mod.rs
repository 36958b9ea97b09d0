//! The group as an operator sees it, each second.
//!
//! - [`state`] makes it of what the directory knows, [`alarms`] says what of it somebody
//!   should look at. Both are pure.
//! - [`json`](group_json) is its JSON, which the page reads, and scripts.
//!
//! [`show`] puts them together. Who calls the rpc `Watch` and who has the page open is
//! given the same.
//!
//! - [`http`] is the page, for who shows its [`token`] to the [`guard`].

mod alarms;
mod guard;
mod http;
mod json;
mod state;
mod token;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use broker::Registry;
use protocol::{GroupName, NodeName};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use alarms::Alarms;
pub(crate) use http::router;
pub use json::{group_json, state_name};

/// How often the group is shown.
const PERIOD: Duration = Duration::from_secs(1);

/// Shows the group to all who watch it, until `stop`.
pub(crate) async fn show(
    registry: Arc<Registry>,
    group: GroupName,
    expected: watch::Receiver<BTreeSet<NodeName>>,
    stop: CancellationToken,
) {
    let mut alarms = Alarms::default();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (observed, now_ms) = (registry.observe(), unix_ms());
        let mut state = state::state(&group, &observed, now_ms);
        state.alarms = alarms.look(&observed, &expected.borrow(), &state.nodes, now_ms);
        registry.show(Arc::new(state));
    }
}

/// Milliseconds since 1970.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
