//! The group as the gate's connections see it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::{CallError, NodeId, NodeName, v1};

/// What a gate asks of its group. The node runtime stands behind it; tests put
/// a scene of their own there.
pub(crate) trait Group: Send + Sync + 'static {
    /// The node of that name, if it takes or finishes work.
    fn resolve(&self, name: &NodeName) -> Option<NodeId>;

    /// Whether the node has not gone.
    fn has(&self, node: NodeId) -> bool;

    /// Whether this gate is in the group.
    fn is_joined(&self) -> bool;

    /// Asks a scene to verify a client. Dropped, the call is cancelled.
    fn verify(
        &self,
        scene: NodeId,
        request: &v1::VerifyRequest,
    ) -> BoxFuture<'static, Result<Bytes, CallError>>;

    /// Tells a scene of a session that it holds from now on.
    fn enter(&self, scene: NodeId, enter: &v1::Enter) -> Result<(), CallError>;

    /// Sends a scene a client's frame.
    fn frame(&self, scene: NodeId, frame: &v1::Frame) -> Result<(), CallError>;

    /// Tells a scene that a client is gone.
    fn offline(&self, scene: NodeId, offline: &v1::Offline) -> Result<(), CallError>;

    /// Tells the directory how many sessions there are.
    fn set_load(&self, sessions: u64);

    /// Waits until the gate is in the group.
    fn ready(&self) -> BoxFuture<'static, ()>;

    /// Tells the directory that this gate takes no new sessions.
    fn set_draining(&self);

    /// Leaves the group.
    fn leave(&self) -> BoxFuture<'static, ()>;
}
