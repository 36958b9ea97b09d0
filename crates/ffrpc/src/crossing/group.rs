//! Another group, as a node calls it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use prost::Message;
use protocol::{CallError, ErrorKind, GroupName, NodeId, NodeName, envelope::Text, v1::Crossing};

use super::Origin;
use crate::{asking::Asking, node::Node, shared::Outcome};

/// Another group, which a bridge joins. From [`Node::group`].
///
/// Each call goes to the bridge that is best now, and from there to the node of the
/// other group that offers the method and carries least, or to the one that
/// [`service`](Self::service) names. It ends once, as a call within the group does,
/// and may also end with `Forbidden`: the other group does not let this one call it.
#[derive(Clone)]
pub struct Group {
    node: Node,
    name: GroupName,
    service: Option<NodeName>,
    hops: u32,
    /// What goes with each call, encoded.
    crossing: Bytes,
}

impl Group {
    pub(crate) fn new(node: Node, name: GroupName) -> Group {
        Group {
            node,
            name,
            service: None,
            hops: 0,
            crossing: Bytes::new(),
        }
        .encoded()
    }

    /// That node of the group, and no other.
    #[must_use]
    pub fn service(mut self, name: NodeName) -> Group {
        self.service = Some(name);
        self.encoded()
    }

    /// Called because of a request that came from `origin`: so that services which
    /// call each other in a circle come to an end.
    #[must_use]
    pub fn after(self, origin: Option<&Origin>) -> Group {
        self.hops(origin.map_or(0, |origin| origin.hops))
    }

    /// As [`after`](Self::after), with the number of bridges that the request has
    /// crossed.
    #[must_use]
    pub fn hops(mut self, hops: u32) -> Group {
        self.hops = hops;
        self.encoded()
    }

    /// Which group it is.
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// The bridge to which a call would go now.
    ///
    /// # Errors
    /// `NotFound`: no bridge joins the group. `Unavailable`: none reaches it now, or
    /// two groups claim its name, or this node is not in its own.
    pub fn bridge(&self) -> Result<NodeId, CallError> {
        let (bridge, _) = self.node.shared().choose_bridge(&self.name)?;
        Ok(bridge)
    }

    /// Calls `method` there, and waits for the answer as long as [`Node::call`] does.
    ///
    /// # Errors
    /// As [`bridge`](Self::bridge) and [`Node::call`]; `NotFound` also where nobody
    /// there offers the method; `Forbidden`. `Unavailable` says of a bridge that has
    /// stopped answering, too: the call may have been done.
    pub async fn call(&self, method: impl Into<Text>, body: Bytes) -> Outcome {
        let wait = self.node.shared().call_timeout();
        self.call_within(method, body, wait).await
    }

    /// [`call`](Self::call) with a deadline of its own.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_within(
        &self,
        method: impl Into<Text>,
        body: Bytes,
        wait: Duration,
    ) -> Outcome {
        let (destination, bridge) = self.node.shared().choose_bridge(&self.name)?;
        let asking = Asking {
            destination,
            method: method.into(),
            body,
            wait,
            crossing: self.crossing.clone(),
            trace: Bytes::new(),
            bridge: Some(bridge),
        };
        self.node.shared().call(asking).await
    }

    /// [`call`](Self::call) with protobuf messages.
    ///
    /// # Errors
    /// As [`call`](Self::call), and `Handler` for an answer that is no `R`.
    pub async fn call_message<R: Message + Default>(
        &self,
        method: impl Into<Text>,
        question: &impl Message,
    ) -> Result<R, CallError> {
        let answer = self.call(method, question.encode_to_vec().into()).await?;
        R::decode(answer).map_err(|error| {
            let message = format!("the answer cannot be read: {error}");
            CallError::new(ErrorKind::Handler, message)
        })
    }

    fn encoded(mut self) -> Group {
        let crossing = Crossing {
            group: self.name.to_string(),
            service: self
                .service
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            hops: self.hops,
            ..Crossing::default()
        };
        self.crossing = crossing.encode_to_vec().into();
        self
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name)
            .field("service", &self.service)
            .field("hops", &self.hops)
            .finish_non_exhaustive()
    }
}
