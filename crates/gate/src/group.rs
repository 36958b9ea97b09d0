//! The group as the gate sees it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::{CallError, NodeId, Secret, VitalsSource, v1};

/// What a gate asks of its group. The node runtime stands behind it; tests put
/// scenes of their own there. But for those that answer by a future, each is
/// called under locks: it queues what it is given, and returns.
pub(crate) trait Group: Send + Sync + 'static {
    /// Asks a scene to verify a client. Ends in a bounded time; dropped, the call
    /// is cancelled.
    fn verify(
        &self,
        scene: NodeId,
        request: &v1::VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>>;

    /// Asks another gate how it stands.
    fn stand(&self, gate: NodeId) -> BoxFuture<'static, Result<Bytes, CallError>>;

    /// Asks another gate for a ticket.
    fn reserve(
        &self,
        gate: NodeId,
        request: &v1::ReserveRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>>;

    /// Tells a scene of a session that it holds from now on.
    fn enter(&self, scene: NodeId, enter: &v1::Enter) -> Result<(), CallError>;

    /// Sends a scene a client's frame.
    fn frame(&self, scene: NodeId, frame: &v1::Frame) -> Result<(), CallError>;

    /// Tells a scene that a client is gone.
    fn offline(&self, scene: NodeId, offline: &v1::Offline) -> Result<(), CallError>;

    /// Tells a scene that a session goes to another one.
    fn leave(&self, scene: NodeId, leave: &v1::LeaveMarker) -> Result<(), CallError>;

    /// Tells a scene that a session does not go to another one.
    fn stay(&self, scene: NodeId, stay: &v1::Stay) -> Result<(), CallError>;

    /// Tells the owner of the sessions who is connected.
    fn owner_report(&self, owner: NodeId, logins: &v1::Logins) -> Result<(), CallError>;

    /// Tells the owner of the sessions whose login is over.
    fn owner_ended(&self, owner: NodeId, ended: &v1::Ended) -> Result<(), CallError>;

    /// Tells the directory how many sessions are here, some time soon.
    fn set_load(&self, sessions: u64);

    /// How long a question to a scene may take from now on.
    fn set_call_timeout(&self, _: Duration) {}

    /// What the gate shows from now on to be let in.
    fn set_secret(&self, _: Secret) {}

    /// What the gate says of itself with each report.
    fn set_vitals(&self, _: VitalsSource) {}

    /// Waits until the gate is in the group.
    fn ready(&self) -> BoxFuture<'static, ()>;

    /// Tells the directory that this gate takes no new sessions.
    fn set_draining(&self);

    /// Leaves the group.
    fn leave_group(&self) -> BoxFuture<'static, ()>;
}
