//! Whether the bridges that carry this node's calls still answer.
//!
//! A state machine without I/O: while calls are under way it is told every
//! [`PERIOD`] how the pair with each bridge stands, and says what to do. Nothing is
//! watched while nothing is under way.

use std::time::Duration;

use foldhash::HashMap;
use protocol::{NodeId, NodeName};
use tokio::time::Instant;

/// How often a bridge is looked at that has calls under way.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);
/// A bridge of which nothing has come for so long is asked for a sign of life.
const QUIET: Duration = Duration::from_millis(20);
/// How often it is asked until it says something.
const PROBES: u32 = 4;
/// A bridge that acknowledges nothing for so long does not answer.
const SILENCE: Duration = Duration::from_secs(1);
/// Two looks that lie further apart say that this process was away itself, and nothing
/// of the bridge.
const AWAY: Duration = Duration::from_millis(200);

/// The bridges that are watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    bridges: HashMap<NodeId, Bridge>,
}

#[derive(Debug)]
struct Bridge {
    name: NodeName,
    /// How far its pair had come when last it had come any further.
    progress: (u64, u64),
    heard: Instant,
    looked: Instant,
    probes: u32,
    /// It was without any link, and brokers were asked a second time.
    asked_again: bool,
    silent: bool,
}

/// How the pair with a bridge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How much has been acknowledged, and how much has arrived.
    pub(crate) progress: (u64, u64),
    /// Whether every broker that could be used has said that it has no link to the
    /// bridge.
    pub(crate) unlinked: bool,
    /// Whether calls are under way there.
    pub(crate) pending: bool,
}

/// What is to be done about a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// Send it something that it has to acknowledge.
    Probe,
    /// No broker has a link to it, which may be opened anew at this moment: send again
    /// what waits.
    AskAgain,
    /// It answers no more: end the calls that are under way there.
    FallenSilent,
    /// It still does not, and calls have slipped in: end those, too.
    StillSilent,
    /// It answers again.
    Back,
    /// Nothing is under way there any more.
    Forget,
}

impl Watch {
    /// A call has gone to this bridge.
    pub(crate) fn called(&mut self, bridge: NodeId, name: &NodeName, now: Instant) {
        self.bridges.entry(bridge).or_insert_with(|| Bridge {
            name: name.clone(),
            progress: (0, 0),
            heard: now,
            looked: now,
            probes: 0,
            asked_again: false,
            silent: false,
        });
    }

    /// Whether calls should go elsewhere.
    pub(crate) fn is_silent(&self, bridge: NodeId) -> bool {
        self.bridges
            .get(&bridge)
            .is_some_and(|bridge| bridge.silent)
    }

    /// Whether nothing is to be looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.bridges.is_empty()
    }

    /// Those that are to be looked at.
    pub(crate) fn watched(&self) -> Vec<(NodeId, NodeName)> {
        let bridges = self.bridges.iter();
        bridges
            .map(|(id, bridge)| (*id, bridge.name.clone()))
            .collect()
    }

    /// The bridge is gone. Gives its name, if it was watched.
    pub(crate) fn forget(&mut self, bridge: NodeId) -> Option<NodeName> {
        self.bridges.remove(&bridge).map(|bridge| bridge.name)
    }

    /// All are gone.
    pub(crate) fn clear(&mut self) {
        self.bridges.clear();
    }

    /// Looks at a bridge.
    pub(crate) fn look(&mut self, id: NodeId, seen: Seen, now: Instant) -> Verdict {
        let Some(bridge) = self.bridges.get_mut(&id) else {
            return Verdict::Fine;
        };
        let away = now.saturating_duration_since(bridge.looked);
        bridge.looked = now;
        if away >= AWAY {
            bridge.heard += away;
        }
        if seen.progress != bridge.progress {
            bridge.progress = seen.progress;
            bridge.heard = now;
            bridge.probes = 0;
            bridge.asked_again = false;
            if std::mem::take(&mut bridge.silent) {
                return Verdict::Back;
            }
        }
        match (bridge.silent, seen.pending) {
            (true, true) => return Verdict::StillSilent,
            // What it has not acknowledged comes again and again, and is its way back.
            (true, false) => return Verdict::Fine,
            (false, false) => {
                self.bridges.remove(&id);
                return Verdict::Forget;
            }
            (false, true) => {}
        }
        if seen.unlinked && !std::mem::replace(&mut bridge.asked_again, true) {
            return Verdict::AskAgain;
        }
        let quiet = now.saturating_duration_since(bridge.heard);
        if seen.unlinked || quiet >= SILENCE {
            bridge.silent = true;
            return Verdict::FallenSilent;
        }
        if quiet >= QUIET * (bridge.probes + 1) && bridge.probes < PROBES {
            bridge.probes += 1;
            return Verdict::Probe;
        }
        Verdict::Fine
    }
}

#[cfg(test)]
mod tests;
