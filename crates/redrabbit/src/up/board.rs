//! Where each role stands, for those who wait for others.

use std::{collections::BTreeMap, sync::Arc};

use protocol::NodeName;
use tokio::sync::watch;

/// Where one role stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoleState {
    /// It has been started and is not ready yet.
    Starting,
    /// It takes work.
    Ready,
    /// It has died and will be started again.
    Resting,
    /// It has ended and stays so.
    Ended,
}

/// Where every role stands that has been started so far. Each entry is written
/// by the keeper of its role alone.
#[derive(Clone, Debug)]
pub(super) struct Board {
    states: Arc<watch::Sender<States>>,
}

/// How far a role has come that the next one waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is not ready yet.
    Wait,
    /// It is ready, and so may the next one be started.
    Ready,
    /// This role has ended: the group does not come up.
    Failed(NodeName),
}

/// Where every role stands.
pub(super) type States = BTreeMap<NodeName, RoleState>;

impl Board {
    /// Before anything is started.
    pub(super) fn new() -> Board {
        Board {
            states: Arc::new(watch::Sender::new(States::new())),
        }
    }

    /// Notes where `name` stands from now on.
    pub(super) fn set(&self, name: &NodeName, state: RoleState) {
        self.states.send_modify(|states| {
            states.insert(name.clone(), state);
        });
    }

    /// Waits until the role is ready, or one has ended that was started before.
    pub(super) async fn wait_for_start(&self, name: &NodeName) -> Progress {
        let mut states = self.states.subscribe();
        let seen = states.wait_for(|states| progress(states, name) != Progress::Wait);
        // The sending half is in `self`, so the wait cannot be in vain.
        seen.await
            .map_or(Progress::Wait, |states| progress(&states, name))
    }

    /// The role is no part of the group any more.
    pub(super) fn forget(&self, name: &NodeName) {
        self.states.send_modify(|states| {
            states.remove(name);
        });
    }

    /// Waits until this role is ready, whatever becomes of the others. Says whether it
    /// is: it may have ended.
    pub(super) async fn wait_for_one(&self, name: &NodeName) -> bool {
        let mut states = self.states.subscribe();
        let settled = |state: Option<&RoleState>| {
            matches!(state, None | Some(RoleState::Ready | RoleState::Ended))
        };
        let seen = states.wait_for(|states| settled(states.get(name))).await;
        seen.is_ok_and(|states| states.get(name) == Some(&RoleState::Ready))
    }

    /// Waits until every role has ended.
    pub(super) async fn wait_for_end(&self) {
        let mut states = self.states.subscribe();
        let ended = |states: &States| states.values().all(|state| *state == RoleState::Ended);
        let _ = states.wait_for(ended).await;
    }
}

impl Default for Board {
    fn default() -> Self {
        Board::new()
    }
}

/// How far `name` has come.
fn progress(states: &States, name: &NodeName) -> Progress {
    let ended = states.iter().find(|(_, state)| **state == RoleState::Ended);
    match (ended, states.get(name)) {
        (Some((ended, _)), _) => Progress::Failed(ended.clone()),
        (None, Some(RoleState::Ready)) => Progress::Ready,
        (None, _) => Progress::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn the_next_role_waits_until_the_former_is_ready() {
        let board = Board::new();
        board.set(&name("master@0"), RoleState::Starting);
        let waiting = tokio::spawn({
            let board = board.clone();
            async move { board.wait_for_start(&name("master@0")).await }
        });
        board.set(&name("master@0"), RoleState::Resting);
        board.set(&name("master@0"), RoleState::Starting);
        board.set(&name("master@0"), RoleState::Ready);
        assert_eq!(waiting.await.unwrap(), Progress::Ready);
    }

    #[test]
    fn a_role_that_ends_while_another_starts_fails_the_start() {
        let states = States::from([
            (name("master@0"), RoleState::Ended),
            (name("scene@0"), RoleState::Starting),
        ]);
        let failed = Progress::Failed(name("master@0"));
        assert_eq!(progress(&states, &name("scene@0")), failed);
    }

    #[test]
    fn a_role_that_will_be_started_again_is_waited_for() {
        let states = States::from([(name("scene@0"), RoleState::Resting)]);
        assert_eq!(progress(&states, &name("scene@0")), Progress::Wait);
    }
}
