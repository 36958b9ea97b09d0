//! Which methods are the daemons' own.

/// What the methods begin with by which daemons speak to each other.
const INTERNAL: [&str; 5] = ["session.", "gate.", "owner.", "node.", "bridge."];

/// Whether daemons speak to each other by this method, or by methods that begin so:
/// no group lets another call such.
pub fn is_internal(method: &str) -> bool {
    INTERNAL.iter().any(|prefix| method.starts_with(prefix))
}
