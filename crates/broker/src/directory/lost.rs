//! Who was lost of late, for operators.

use std::{collections::VecDeque, time::Duration};

use protocol::{NodeName, v1::Role};
use tokio::time::Instant;

use crate::observation::Lost;

/// The last nodes that went without a word.
#[derive(Debug, Default)]
pub(super) struct LostLog(VecDeque<(NodeName, Role, Instant)>);

/// As many are remembered.
const KEPT: usize = 64;

/// For so long.
const WHILE: Duration = Duration::from_secs(60);

impl LostLog {
    pub(super) fn note(&mut self, name: NodeName, role: Role, now: Instant) {
        // The latest loss of a name is the one that counts.
        self.0.retain(|(lost, ..)| *lost != name);
        self.0.push_back((name, role, now));
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    pub(super) fn since(&self, now: Instant) -> Vec<Lost> {
        let ago = |at: Instant| now.saturating_duration_since(at);
        let late = self.0.iter().filter(|(.., at)| ago(*at) < WHILE);
        late.map(|(name, role, at)| Lost {
            name: name.clone(),
            role: *role,
            ago: ago(*at),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loss_is_remembered_for_a_minute_and_once_a_name() {
        let (mut log, now) = (LostLog::default(), Instant::now());
        let name = |index| format!("gate@{index}").parse::<NodeName>().unwrap();
        log.note(name(0), Role::Gate, now);
        log.note(name(1), Role::Gate, now);
        log.note(name(0), Role::Gate, now + WHILE / 2);
        let names =
            |at| -> Vec<NodeName> { log.since(at).into_iter().map(|lost| lost.name).collect() };
        assert_eq!(names(now + WHILE / 2), [name(1), name(0)]);
        assert_eq!(names(now + WHILE), [name(0)]);
        assert!(names(now + WHILE * 2).is_empty());
    }

    #[tokio::test]
    async fn the_log_is_bounded() {
        let (mut log, now) = (LostLog::default(), Instant::now());
        for index in 0..1000 {
            log.note(format!("a@{index}").parse().unwrap(), Role::Service, now);
        }
        assert_eq!(log.since(now).len(), KEPT);
    }
}
