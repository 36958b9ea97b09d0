//! The methods that gates and scenes offer each other. The messages that they
//! carry are in `proto/redrabbit/v1/session.proto`.

/// Request to the verifying scene: a `VerifyRequest`, answered by a
/// `VerifyResponse`.
pub const SESSION_VERIFY: &str = "session.verify";
/// Control to the scene: an `Enter`.
pub const SESSION_ENTER: &str = "session.enter";
/// Control to the scene: a `Frame`. The gate's windows bound it.
pub const SESSION_FRAME: &str = "session.frame";
/// Control to the scene: an `Offline`.
pub const SESSION_OFFLINE: &str = "session.offline";
/// Control to the gate: a `Finished`.
pub const SESSION_FINISHED: &str = "session.finished";
/// Notify to the gate: a `Deliver`.
pub const GATE_DELIVER: &str = "gate.deliver";
/// Control to the gate: a `Close`.
pub const GATE_CLOSE: &str = "gate.close";
