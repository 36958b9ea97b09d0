//! The bridges of this node's own group, as its calls to other groups use them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{CallError, ErrorKind, GroupName, NodeId, NodeName};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    choice::choose,
    watch::{Seen, Verdict, Watch},
};
use crate::shared::{Shared, lost};

/// The bridges that have calls of this node. Its lock is held for a look-up or a
/// change, and those of the replica, the calls and a pair may be taken under it.
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
            let Some((seen, verdict)) = self.look_at_bridge(bridge, now) else {
                continue;
            };
            match verdict {
                Verdict::Fine | Verdict::Forget => {}
                Verdict::Probe => self.pairs.probe(bridge),
                Verdict::AskAgain => self.pairs.ask_again(bridge),
                Verdict::Back => info!(peer = %name, "bridge answers again"),
                Verdict::FallenSilent => {
                    let reason = match seen.unlinked {
                        true => "no link",
                        false => "no acknowledgement",
                    };
                    warn!(peer = %name, reason, "bridge is silent, calling other groups by others");
                    self.end_calls_of_silent(bridge, &name);
                }
                Verdict::StillSilent => self.end_calls_of_silent(bridge, &name),
            }
        }
        !self.bridges.watch().is_empty()
    }

    /// Looks at one. A call that begins now is seen here, or finds the bridge forgotten
    /// when it asks for the watch: between the two nothing is let go.
    fn look_at_bridge(&self, bridge: NodeId, now: Instant) -> Option<(Seen, Verdict)> {
        let mut watch = self.bridges.watch();
        let pending = self.calls().wait_for(bridge);
        let Some(seen) = self.pairs.look(bridge, pending) else {
            watch.forget(bridge);
            return None;
        };
        Some((seen, watch.look(bridge, seen, now)))
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU64, Ordering},
        thread,
        time::Duration,
    };

    use bytes::Bytes;
    use protocol::v1::{NodeRecord, Role, Snapshot};

    use super::*;
    use crate::{asking::Asking, config::NodeConfig, services::Services};

    const OWN: NodeId = NodeId::new(1, 1);
    const BRIDGE: NodeId = NodeId::new(1, 2);

    fn shared() -> Shared {
        let shared = Shared::new(NodeConfig::default(), Services::new());
        let bridge = NodeRecord {
            node_id: BRIDGE.as_u64(),
            name: "bridge@0".into(),
            role: Role::Bridge.into(),
            ..NodeRecord::default()
        };
        let snapshot = Snapshot {
            revision: 1,
            nodes: vec![bridge],
        };
        shared.change_replica(|replica| replica.reset(snapshot));
        shared.set_id(OWN, Bytes::new());
        shared
    }

    fn call(shared: &Shared) {
        let asking = Asking {
            destination: BRIDGE,
            method: "echo".into(),
            body: Bytes::new(),
            wait: Duration::from_secs(60),
            crossing: Bytes::new(),
            trace: Bytes::new(),
            bridge: Some("bridge@0".parse().unwrap()),
        };
        shared.call_then(asking, Box::new(|_| ()));
        assert_eq!(shared.calls().len(), 1);
    }

    #[test]
    fn a_call_that_begins_while_its_bridge_is_looked_at_is_watched() {
        let (shared, now) = (shared(), Instant::now());
        let (looks, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    shared.watch_bridges(now);
                    looks.fetch_add(1, Ordering::SeqCst);
                }
            });
            let mut unwatched = 0;
            for _ in 0..40_000 {
                call(&shared);
                // The look that goes on, and a whole one.
                let begun = looks.load(Ordering::SeqCst);
                while looks.load(Ordering::SeqCst) < begun + 2 {
                    thread::yield_now();
                }
                unwatched += usize::from(shared.bridges.watch().is_empty());
                drop(shared.calls().lost());
            }
            stop.store(true, Ordering::SeqCst);
            assert_eq!(unwatched, 0);
        });
    }
}
