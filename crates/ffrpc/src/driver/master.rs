//! What the master says, and what becomes of the node by it.

use bytes::Bytes;
use protocol::{
    NodeId,
    v1::{
        Held, JoinResponse, Resync, Role, Welcome, join_request::Request, join_response::Response,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::{debug, info, warn};

use super::{Driver, Identity, LINKING, REPORT, REPORTS_PER_LEASE, SHORTEST_PERIOD};
use crate::{
    channel::Broker, membership::Word, replica::ReplicaChange, services::NodeEvent,
    shared::Membership,
};

impl Driver {
    /// Takes in what the master says, or that it is away.
    pub(super) fn hear(&mut self, word: Word) {
        match word {
            Word::Open(registry) => self.shared.set_registry(registry),
            Word::Says(response) => match response.response {
                Some(Response::Welcome(welcome)) => self.welcome(&welcome),
                Some(Response::Renewal(renewal)) => self.renew(renewal.token),
                _ => self.learn(response),
            },
            Word::Broken(status) => {
                self.shared.set_registry(None);
                self.explain(&status);
                // Another lives under the name, or the claim is nonsense: what
                // was held is held no more.
                if matches!(status.code(), Code::AlreadyExists | Code::InvalidArgument)
                    && self.identity.is_some()
                {
                    self.lose("the master does not know it any more");
                }
                let held = self.held();
                self.membership.rejoin(held, self.shared.secret());
            }
        }
    }

    /// The node is in, as who it was or as a new one.
    pub(super) fn welcome(&mut self, welcome: &Welcome) {
        let id = NodeId::from_u64(welcome.node_id);
        let lease = Duration::from_millis(welcome.lease_ms.into());
        self.period = REPORT.min(lease / REPORTS_PER_LEASE).max(SHORTEST_PERIOD);
        match &mut self.identity {
            Some(identity) if identity.id == id => {
                identity.next_epoch = welcome.epoch;
                info!(node_id = %id, epoch = welcome.epoch, "joined again");
                self.renew(welcome.token.clone());
            }
            _ => {
                if self.identity.is_some() {
                    self.lose("its lease has run out");
                }
                self.shared.set_id(id, welcome.token.clone());
                self.identity = Some(Identity {
                    id,
                    token: welcome.token.clone(),
                    epoch: welcome.epoch,
                    next_epoch: welcome.epoch,
                    joined: false,
                    linked: false,
                    linked_by: Instant::now() + LINKING,
                });
                self.open_master();
            }
        }
        // Behind the loss of what the node was before, which ends the membership.
        self.shared.set_membership(Some(Membership {
            group: welcome.group.clone(),
            identity: welcome.identity,
        }));
        self.report();
    }

    /// The node proves by this token who it is, from now on: links that are open were
    /// opened with another one, and stay.
    fn renew(&mut self, token: Bytes) {
        if let Some(identity) = &mut self.identity {
            self.links.renew(&token);
            self.shared.set_id(identity.id, token.clone());
            identity.token = token;
        }
    }

    /// Takes in what the master says of the directory.
    pub(super) fn learn(&mut self, response: JoinResponse) {
        let Some(identity) = &mut self.identity else {
            return;
        };
        if !identity.joined && matches!(response.response, Some(Response::Snapshot(_))) {
            identity.joined = true;
            identity.linked_by = Instant::now() + LINKING;
            info!(node_id = %identity.id, "joined");
            self.shared.services.tell(NodeEvent::Joined(identity.id));
        }
        let changes = match response.response {
            Some(Response::Snapshot(snapshot)) => {
                identity.epoch = identity.next_epoch;
                self.shared
                    .change_replica(|replica| replica.reset(snapshot))
            }
            Some(Response::Delta(delta)) => {
                let applied = self.shared.change_replica(|replica| replica.apply(delta));
                match applied {
                    Ok(change) => change.into_iter().collect(),
                    Err(gap) => {
                        debug!(?gap, "directory missed a revision");
                        // Without room for it now, the next delta asks again.
                        self.membership.say(Request::Resync(Resync {}));
                        Vec::new()
                    }
                }
            }
            Some(Response::Exports(exports)) => {
                let event = NodeEvent::Exports(Arc::new(exports));
                return self.shared.services.tell(event);
            }
            Some(Response::Loads(loads)) => {
                self.shared
                    .change_replica(|replica| replica.set_loads(&loads.loads));
                let event = NodeEvent::Loads(Arc::new(loads));
                return self.shared.services.tell(event);
            }
            _ => Vec::new(),
        };
        let mut brokers = false;
        for change in changes {
            match change {
                ReplicaChange::Upserted(record) => {
                    if record.role == Role::Slave {
                        brokers = true;
                        self.open_slave(record.id, &record.name, &record.address);
                    }
                    self.shared.services.tell(NodeEvent::Upserted(record));
                }
                ReplicaChange::Removed(id) => {
                    if self.links.remove(Broker::Slave(id)) {
                        self.ended.push(Broker::Slave(id));
                        brokers = true;
                    }
                    self.shared.end_node(id);
                    self.shared.services.tell(NodeEvent::Removed(id));
                }
            }
        }
        if brokers {
            self.publish_links();
        }
        self.settle();
    }

    /// What the node presents to be taken for who it was.
    pub(super) fn held(&self) -> Option<Held> {
        let identity = self.identity.as_ref()?;
        Some(Held {
            node_id: identity.id.as_u64(),
            epoch: identity.epoch,
            revision: self.shared.revision(),
            token: identity.token.clone(),
        })
    }

    /// The node is nobody any more: everything that it had ends.
    pub(super) fn lose(&mut self, reason: &'static str) {
        let Some(identity) = self.identity.take() else {
            return;
        };
        warn!(node_id = %identity.id, reason, "group lost");
        self.links.close();
        self.links.clear();
        self.ended.clear();
        self.shared.set_lost();
        self.publish_links();
        if identity.joined {
            self.shared.services.tell(NodeEvent::Lost);
        }
    }

    pub(super) fn explain(&self, status: &Status) {
        let (master, reason) = (&self.shared.config.uplink, status.message());
        match status.code() {
            // Only the operator can help: say it where it is seen.
            Code::Unauthenticated | Code::AlreadyExists | Code::InvalidArgument => {
                warn!(
                    ?master,
                    reason, "the master refuses this node, trying again"
                );
            }
            _ => info!(
                ?master,
                reason, "the master cannot be reached, trying again"
            ),
        }
    }
}
