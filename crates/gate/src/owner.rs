//! What the gate tells the owner of its sessions: who is connected, and whose
//! login is over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{
    Login, NodeId,
    v1::{Ended, HeldLogin, Logins},
};

use crate::{group::Group, table::Table};

/// So many logins go into one part of a report: 150 KiB at most.
const PART: usize = 1_000;

/// The owner of the gate's sessions, which is the host of the verifying scene.
///
/// The lock is held while something is sent, so that the end of a login never
/// overtakes a report in which it stands. It is taken under the lock of a
/// session, and under it only shards of the table are.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    node: Option<NodeId>,
    /// It has yet to be told who is connected.
    due: bool,
    /// How often the group has been lost.
    losses: u64,
}

/// Whose word lets a client in: an owner, in one of this gate's lives in the
/// group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) node: NodeId,
    losses: u64,
}

impl Owner {
    /// A node of the verifying scene's name is there. One that is new has to be
    /// told who is connected.
    pub(crate) fn appeared(&self, node: NodeId) {
        let mut state = self.lock();
        if state.node != Some(node) {
            state.node = Some(node);
            state.due = true;
        }
    }

    /// The owner is a node of another name, if such a one is there. It has to be told
    /// who is connected.
    pub(crate) fn moved(&self, to: Option<NodeId>) {
        let mut state = self.lock();
        state.node = to;
        state.due = to.is_some();
    }

    /// A scene that is not the owner of this gate's sessions is there. It may have
    /// been, before the topology changed, and would wait for this gate's word.
    pub(crate) fn disown(&self, scene: NodeId, group: &dyn Group) {
        let nobody = Logins {
            logins: Vec::new(),
            complete: true,
        };
        let _ = group.owner_report(scene, &nobody);
    }

    /// The group is lost, and whatever anybody said in it.
    pub(crate) fn lost(&self) {
        let mut state = self.lock();
        state.node = None;
        state.due = false;
        state.losses += 1;
    }

    /// Whether this is the owner.
    pub(crate) fn is(&self, node: NodeId) -> bool {
        self.lock().node == Some(node)
    }

    /// The owner, to be asked now.
    pub(crate) fn authority(&self, node: NodeId) -> Authority {
        let losses = self.lock().losses;
        Authority { node, losses }
    }

    /// Whether this authority's word still counts: no other owner has been told
    /// meanwhile who is connected.
    pub(crate) fn admits(&self, authority: Authority) -> bool {
        let state = self.lock();
        state.node == Some(authority.node) && state.losses == authority.losses
    }

    /// Tells a new owner who is connected.
    pub(crate) fn report(&self, table: &Table, group: &dyn Group) {
        let mut state = self.lock();
        let Some(node) = state.node.filter(|_| state.due) else {
            return;
        };
        state.due = false;
        let mut logins = Vec::new();
        table.for_each(|seat| {
            logins.push(HeldLogin {
                session_id: seat.session_id.as_str().to_owned(),
                login: seat.login.0,
            });
        });
        let mut rest = logins.into_iter().peekable();
        loop {
            let logins: Vec<_> = rest.by_ref().take(PART).collect();
            let complete = rest.peek().is_none();
            // Refused, it is because this owner is gone: the next one is told.
            let _ = group.owner_report(node, &Logins { logins, complete });
            if complete {
                return;
            }
        }
    }

    /// No scene holds this login any more. It is out of the table.
    pub(crate) fn ended(&self, login: Login, group: &dyn Group) {
        let state = self.lock();
        if let Some(node) = state.node {
            let logins = vec![login.0];
            let _ = group.owner_ended(node, &Ended { logins });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_an_owner_counts_until_there_is_another_one_or_the_group_is_lost() {
        let owner = Owner::default();
        let (first, second) = (NodeId::new(1, 1), NodeId::new(1, 2));
        owner.appeared(first);
        let authority = owner.authority(first);
        assert!(owner.admits(authority));
        owner.appeared(first);
        assert!(owner.admits(authority));
        owner.appeared(second);
        assert!(!owner.admits(authority));
        assert!(owner.is(second) && !owner.is(first));
        let authority = owner.authority(second);
        owner.lost();
        owner.appeared(second);
        assert!(!owner.admits(authority));
    }
}
