//! The group's secret, and those that it had before: a secret is replaced while nodes
//! come and go, and not on all machines at once.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use protocol::{GroupName, NodeId, Secret, token};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// The secrets that count.
///
/// A node is let in with the one that there is now, and for [`OVERLAP`] with the one
/// before. Tokens are signed with the one that there is now; those signed with the few
/// before count as long as the broker lives, for a node that was let in stays in.
pub(crate) struct Secrets {
    /// Locked for a comparison.
    state: RwLock<State>,
}

struct State {
    now: Secret,
    /// The latest first.
    before: Vec<Secret>,
    replaced_at: Option<Instant>,
}

/// How long a node may still join with the secret before. The next change ends it too.
const OVERLAP: Duration = Duration::from_secs(3600);

/// As many that were replaced are known.
const KEPT: usize = 4;

impl Secrets {
    pub(crate) fn new(now: Secret) -> Self {
        Secrets {
            state: RwLock::new(State {
                now,
                before: Vec::new(),
                replaced_at: None,
            }),
        }
    }

    /// There is another one from `now` on. Says whether it is another one.
    pub(crate) fn replace(&self, secret: Secret, now: Instant) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.now == secret {
            return false;
        }
        let before = std::mem::replace(&mut state.now, secret);
        state.before.insert(0, before);
        state.before.truncate(KEPT);
        state.replaced_at = Some(now);
        true
    }

    /// Whether who shows this is let in at `now`.
    pub(crate) fn admits(&self, shown: &str, now: Instant) -> bool {
        self.read(|state| {
            let is = |secret: &Secret| -> bool {
                secret.expose().as_bytes().ct_eq(shown.as_bytes()).into()
            };
            let overlaps = state
                .replaced_at
                .is_some_and(|at| now.saturating_duration_since(at) < OVERLAP);
            let before = state.before.first().filter(|_| overlaps);
            // Both are compared, so that the time taken says nothing.
            is(&state.now) | before.is_some_and(is)
        })
    }

    /// The token of a node.
    pub(crate) fn sign(&self, group: &GroupName, node: NodeId) -> Vec<u8> {
        self.read(|state| token::sign(&state.now, group, node))
    }

    /// Whose token it is, if it is one of this group's.
    pub(crate) fn verify(&self, group: &GroupName, token: &[u8]) -> Option<NodeId> {
        self.read(|state| {
            let mut secrets = std::iter::once(&state.now).chain(&state.before);
            secrets.find_map(|secret| token::verify(secret, group, token))
        })
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[tokio::test]
    async fn the_secret_before_lets_nodes_in_for_an_hour_or_until_the_next_change() {
        let (secrets, now) = (Secrets::new(secret("first")), Instant::now());
        assert!(secrets.admits("first", now) && !secrets.admits("second", now));
        assert!(!secrets.replace(secret("first"), now));
        assert!(secrets.replace(secret("second"), now));
        let soon = now + OVERLAP / 2;
        assert!(secrets.admits("first", soon) && secrets.admits("second", soon));
        assert!(!secrets.admits("", soon));
        let late = now + OVERLAP;
        assert!(!secrets.admits("first", late) && secrets.admits("second", late));
        assert!(secrets.replace(secret("third"), soon));
        assert!(!secrets.admits("first", soon) && secrets.admits("second", soon));
    }

    #[tokio::test]
    async fn tokens_that_were_given_count_on_and_new_ones_are_of_the_new_secret() {
        let group = "GroupA".parse().unwrap();
        let (node, now) = (NodeId::new(1, 2), Instant::now());
        let secrets = Secrets::new(secret("0"));
        let old = secrets.sign(&group, node);
        secrets.replace(secret("1"), now);
        let new = secrets.sign(&group, node);
        assert_ne!(old, new);
        for token in [&old, &new] {
            assert_eq!(secrets.verify(&group, token), Some(node));
        }
        let other = Secrets::new(secret("1"));
        assert_eq!(other.verify(&group, &new), Some(node));
        assert_eq!(other.verify(&group, &old), None);
        for more in 2..=KEPT {
            secrets.replace(secret(&more.to_string()), now);
        }
        assert_eq!(secrets.verify(&group, &old), Some(node));
        secrets.replace(secret("last"), now);
        assert_eq!(secrets.verify(&group, &old), None, "they are bounded");
    }
}
