//! The scene as a node of its group: what arrives becomes events, what the script
//! wants becomes messages. Nothing here knows Python.

pub(crate) mod delivery;
pub(crate) mod drain;
pub(crate) mod fence;
pub(crate) mod node;
pub(crate) mod owner;
pub(crate) mod peers;
