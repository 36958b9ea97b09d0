//! Questions whether a gate that is gone has left anything here.

use std::{sync::Arc, time::Duration};

use ffrpc::{Node, NodeEvent};
use protocol::{CallError, ErrorKind, NodeId};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use crate::{Event, Inbox, Peers};

/// How often it is looked whether the directory has come far enough.
const LOOK: Duration = Duration::from_millis(10);

/// Asks the script's thread, when the directory knows that the gate is gone.
#[derive(Clone)]
pub(crate) struct Fences {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) peers: Arc<Peers>,
    /// The scene in its group: none before it has begun to join, nor behind its
    /// end, since the node itself holds this.
    pub(crate) node: watch::Sender<Option<Node>>,
}

impl Fences {
    /// Waits until the directory is at this revision, the gate is not in it, and
    /// no session of the gate is here; for [`NodeId::BROKER`], none of any gate
    /// that is not in the directory.
    pub(crate) async fn clear(&self, gate: NodeId, revision: u64) -> Result<(), CallError> {
        let stopping = || CallError::new(ErrorKind::Unavailable, "the scene is stopping");
        let mut nodes = self.node.subscribe();
        let node = nodes.wait_for(Option::is_some).await;
        let node = node.ok().and_then(|node| node.clone());
        let node = node.ok_or_else(stopping)?;
        while node.revision() < revision || node.record(gate).is_some() {
            sleep(LOOK).await;
        }
        if gate != NodeId::BROKER {
            // Of a gate that came and went while the directory was behind, nobody
            // else says so.
            self.peers.follow(&NodeEvent::Removed(gate));
            let gone = self.inbox.push(Event::GateGone(gate));
            gone.map_err(|_| stopping())?;
        }
        let (clear, is_clear) = oneshot::channel();
        let fence = Event::Fence { gate, clear };
        self.inbox.push(fence).map_err(|_| stopping())?;
        is_clear.await.map_err(|_| stopping())
    }
}
