//! Numbers that name something for as long as it lives.

use std::fmt;

/// A node, from the moment it joined until it is gone. Never given twice.
///
/// The upper half is the epoch of the master that gave it, the lower half
/// counts that master's joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    /// As a source or destination: the broker at the other end of the link.
    pub const BROKER: NodeId = NodeId(0);

    /// The `serial`th node of the master's run `epoch`.
    pub const fn new(epoch: u32, serial: u32) -> Self {
        NodeId(((epoch as u64) << 32) | serial as u64)
    }

    /// The id that was sent as this number.
    pub const fn from_u64(raw: u64) -> Self {
        NodeId(raw)
    }

    /// The number to send.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The run of the master that gave it.
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.0 as u32)
    }
}

/// One login of a session. Numbers given by one verifying scene only rise, so
/// of two logins of a session the higher one is the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login(pub u64);

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
