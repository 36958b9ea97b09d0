//! When a slave takes traffic.

use std::time::Duration;

/// How long a slave waits for the links of nodes that are slow to open theirs,
/// or cannot.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Whether a slave that has had its directory for so long takes traffic, with so
/// many nodes that have no link to it yet. What it is sent for one of those it
/// has to refuse, so that it is better late than of no use.
pub(crate) fn is_ready(unlinked: usize, waited: Duration) -> bool {
    unlinked == 0 || waited >= PATIENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slave_is_ready_as_soon_as_everybody_is_linked() {
        assert!(is_ready(0, Duration::ZERO));
        assert!(!is_ready(1, Duration::ZERO));
    }

    #[test]
    fn one_who_cannot_be_linked_does_not_hold_it_up_for_ever() {
        assert!(!is_ready(1, PATIENCE - Duration::from_millis(1)));
        assert!(is_ready(1, PATIENCE));
    }
}
