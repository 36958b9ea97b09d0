//! The methods that daemons offer each other, and what is said about such by all of
//! them. The messages that they carry are in `proto/redrabbit/v1/session.proto`, and
//! that of bridges in `registry.proto`.

pub use vocabulary::is_internal;

/// Request to the verifying scene: a `VerifyRequest`, answered by a
/// `VerifyResponse`.
pub const SESSION_VERIFY: &str = "session.verify";
/// Control to the scene: an `Enter`.
pub const SESSION_ENTER: &str = "session.enter";
/// Control to the scene: a `Frame`. The gate's windows bound it.
pub const SESSION_FRAME: &str = "session.frame";
/// Control to the scene: an `Offline`.
pub const SESSION_OFFLINE: &str = "session.offline";
/// Control to the scene: a `LeaveMarker`.
pub const SESSION_LEAVE: &str = "session.leave";
/// Control to the scene: a `Stay`.
pub const SESSION_STAY: &str = "session.stay";
/// Request to every scene: a `Fence`, answered by nothing.
pub const SESSION_FENCE: &str = "session.fence";
/// Control to the gate: a `Left`.
pub const SESSION_LEFT: &str = "session.left";
/// Control to the gate: a `Finished`.
pub const SESSION_FINISHED: &str = "session.finished";
/// Notify to the gate: a `Deliver`.
pub const GATE_DELIVER: &str = "gate.deliver";
/// Control to the gate: a `Close`.
pub const GATE_CLOSE: &str = "gate.close";
/// Control to the gate: a `ChangeScene`.
pub const GATE_CHANGE: &str = "gate.change";
/// Control to the gate: a `Membership`.
pub const GATE_CHANNEL: &str = "gate.channel";
/// Request to the gate: a `Replace`, answered by nothing.
pub const GATE_REPLACE: &str = "gate.replace";
/// Request to a gate: a `StandRequest`, answered by a `Stand`.
pub const GATE_STAND: &str = "gate.stand";
/// Request to a gate: a `ReserveRequest`, answered by a `ReserveResponse`.
pub const GATE_RESERVE: &str = "gate.reserve";
/// Control to the verifying scene's host: a `Logins`.
pub const OWNER_REPORT: &str = "owner.report";
/// Control to the verifying scene's host: an `Ended`.
pub const OWNER_ENDED: &str = "owner.ended";
/// What the methods of a scene's services begin with; the number of a command
/// follows: `service.200`. Requests from any node, whose bodies are the script's.
pub const SERVICE: &str = "service.";
/// Request to a gate or a scene: a `DrainRequest`, answered by a
/// `DrainResponse`.
pub const NODE_DRAIN: &str = "node.drain";
/// Request to a scene: a `ReloadRequest`, answered by a `ReloadResponse`.
pub const NODE_RELOAD: &str = "node.reload";
/// Request to a bridge: a `GroupNodesRequest`, answered by a `ListNodesResponse`.
pub const BRIDGE_NODES: &str = "bridge.nodes";

/// How many bridges a request may cross, it and the requests because of which it is
/// made: past that its services call each other in a circle.
pub const MAX_HOPS: u32 = 8;
