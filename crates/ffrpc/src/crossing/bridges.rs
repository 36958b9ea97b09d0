//! The bridges of this node's own group, as its calls to other groups use them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{CallError, ErrorKind, GroupName, NodeId, NodeName};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    choice::choose,
    watch::{Verdict, Watch},
};
use crate::shared::{Shared, lost};

/// The bridges that have calls of this node. Its lock is held for a look-up or a
/// change, and the replica's may be taken under it.
#[derive(Default)]
pub(crate) struct Bridges(Mutex<Watch>);

impl Bridges {
    /// A call has gone to this bridge.
    pub(crate) fn called(&self, bridge: NodeId, name: &NodeName) {
        self.watch().called(bridge, name, Instant::now());
    }

    /// The node is gone. Gives the error of its calls, if it is a bridge that has some.
    pub(crate) fn forget(&self, node: NodeId) -> Option<CallError> {
        let name = self.watch().forget(node)?;
        Some(in_doubt(&format!("{name} is gone")))
    }

    /// The group is lost.
    pub(crate) fn clear(&self) {
        self.watch().clear();
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The bridge by which this node calls `group` now.
    pub(crate) fn choose_bridge(&self, group: &GroupName) -> Result<(NodeId, NodeName), CallError> {
        let own = self.own().ok_or_else(lost)?;
        let watch = self.bridges.watch();
        self.read_replica(|replica| {
            let silent = |bridge| watch.is_silent(bridge);
            let bridge = choose(own, group, replica.bridges(), silent)?;
            Ok((bridge.id, bridge.name.clone()))
        })
    }

    /// Looks at the bridges that have calls. Says whether there are any.
    pub(crate) fn watch_bridges(&self, now: Instant) -> bool {
        let watched = self.bridges.watch().watched();
        for (bridge, name) in watched {
            let pending = self.calls().wait_for(bridge);
            let Some(seen) = self.pairs.look(bridge, pending) else {
                self.bridges.watch().forget(bridge);
                continue;
            };
            let verdict = self.bridges.watch().look(bridge, seen, now);
            match verdict {
                Verdict::Fine | Verdict::Forget => {}
                Verdict::Probe => self.pairs.probe(bridge),
                Verdict::Back => info!(bridge = %name, "bridge answers again"),
                Verdict::FallenSilent => {
                    let reason = match seen.unlinked {
                        true => "no link",
                        false => "no acknowledgement",
                    };
                    warn!(bridge = %name, reason, "bridge is silent, calling other groups by others");
                    self.end_calls_of_silent(bridge, &name);
                }
                Verdict::StillSilent => self.end_calls_of_silent(bridge, &name),
            }
        }
        !self.bridges.watch().is_empty()
    }

    fn end_calls_of_silent(&self, bridge: NodeId, name: &NodeName) {
        let ended = self.calls().gone(bridge);
        self.end_calls(ended, &in_doubt(&format!("{name} does not answer")));
    }
}

/// The end of a call that may have been passed on.
fn in_doubt(reason: &str) -> CallError {
    CallError::new(
        ErrorKind::Unavailable,
        format!("{reason}: the call may or may not have been done"),
    )
}
