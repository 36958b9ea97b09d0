//! Logins that were replaced before the gate had heard of them.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use protocol::Login;
use tokio::time::Instant;

/// More than a verifying scene can have answered in the time that is remembered.
const MOST: usize = 65_536;

/// The owner may end a login while the word that it was let in is on its way to
/// the connection's task. It is remembered here until that word must have come.
#[derive(Debug)]
pub(crate) struct Replaced {
    memory: Duration,
    logins: HashSet<Login>,
    order: VecDeque<(Instant, Login)>,
}

impl Replaced {
    /// Remembers each for so long.
    pub(crate) fn new(memory: Duration) -> Self {
        Replaced {
            memory,
            logins: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Remembers each for so long from now on.
    pub(crate) fn set_memory(&mut self, memory: Duration) {
        self.memory = memory;
    }

    /// A login that is not to begin.
    pub(crate) fn remember(&mut self, login: Login, now: Instant) {
        while let Some((since, oldest)) = self.order.front().copied() {
            if self.order.len() < MOST && now < since + self.memory {
                break;
            }
            self.order.pop_front();
            self.logins.remove(&oldest);
        }
        if self.logins.insert(login) {
            self.order.push_back((now, login));
        }
    }

    /// Whether a login is not to begin.
    pub(crate) fn contains(&self, login: Login) -> bool {
        self.logins.contains(&login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_is_remembered_for_a_while_and_not_for_ever() {
        let second = Duration::from_secs(1);
        let mut replaced = Replaced::new(second);
        let start = Instant::now();
        replaced.remember(Login(1), start);
        replaced.remember(Login(2), start + second / 2);
        assert!(replaced.contains(Login(1)) && replaced.contains(Login(2)));
        replaced.remember(Login(3), start + second);
        assert!(!replaced.contains(Login(1)) && replaced.contains(Login(2)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut replaced = Replaced::new(Duration::from_secs(1_000));
        let now = Instant::now();
        for login in 0..2 * MOST as u64 {
            replaced.remember(Login(login), now);
        }
        assert_eq!((replaced.logins.len(), replaced.order.len()), (MOST, MOST));
    }
}
