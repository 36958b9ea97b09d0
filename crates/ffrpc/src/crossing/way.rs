//! What a request says of its way between groups, read.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, ErrorKind, NodeId,
    v1::{Crossing, Role},
};

use super::Origin;
use crate::shared::Shared;

/// The way of a request.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// It stays in the group.
    Within,
    /// It is for another group: a bridge passes it on.
    To(Arc<Crossing>),
    /// A bridge has brought it.
    From(Arc<Origin>),
}

/// The way of the last request of a node. Those that come together mostly say the same,
/// and it is read once.
#[derive(Debug, Default)]
pub(crate) struct LastWay(Option<(Bytes, Way)>);

impl LastWay {
    /// The way that a request of `source` says. Nothing may happen to the directory
    /// between two requests that ask one `LastWay`.
    ///
    /// # Errors
    /// What the request is refused with.
    pub(crate) fn read(
        &mut self,
        shared: &Shared,
        source: NodeId,
        encoded: &Bytes,
    ) -> Result<Way, CallError> {
        if encoded.is_empty() {
            return Ok(Way::Within);
        }
        if let Some((last, way)) = &self.0
            && last == encoded
        {
            return Ok(way.clone());
        }
        let way = Way::read(shared, source, encoded)?;
        self.0 = Some((encoded.clone(), way.clone()));
        Ok(way)
    }
}

impl Way {
    fn read(shared: &Shared, source: NodeId, encoded: &Bytes) -> Result<Way, CallError> {
        let crossing = Crossing::decode(encoded.clone()).map_err(|_| unreadable())?;
        if !crossing.group.is_empty() {
            return Ok(Way::To(Arc::new(crossing)));
        }
        match shared.role_of(source) {
            Some(Role::Bridge) => {
                let origin = Origin::of(crossing).ok_or_else(unreadable)?;
                Ok(Way::From(Arc::new(origin)))
            }
            // It says so of itself, and that counts for nothing.
            Some(_) => Ok(Way::Within),
            // Perhaps a bridge: what it brings must not be taken for a request of the
            // own group.
            None => Err(CallError::new(
                ErrorKind::Unavailable,
                format!("the directory has not told yet whether node {source} is a bridge"),
            )),
        }
    }
}

fn unreadable() -> CallError {
    CallError::new(
        ErrorKind::Handler,
        "the way between groups that the request says cannot be read",
    )
}

#[cfg(test)]
mod tests {
    use protocol::v1::{NodeRecord, Snapshot};

    use super::*;
    use crate::{config::NodeConfig, services::Services};

    const BRIDGE: NodeId = NodeId::new(1, 1);
    const SERVICE: NodeId = NodeId::new(1, 2);
    const STRANGER: NodeId = NodeId::new(1, 3);

    fn shared() -> Shared {
        let node = |id: NodeId, name: &str, role: Role| NodeRecord {
            node_id: id.as_u64(),
            name: name.into(),
            role: role.into(),
            ..NodeRecord::default()
        };
        let snapshot = Snapshot {
            revision: 1,
            nodes: vec![
                node(BRIDGE, "bridge@0", Role::Bridge),
                node(SERVICE, "echo@0", Role::Service),
            ],
        };
        let shared = Shared::new(NodeConfig::default(), Services::new());
        shared.change_replica(|replica| replica.reset(snapshot));
        shared
    }

    fn brought(from_group: &str, from_node: &str) -> Bytes {
        let crossing = Crossing {
            from_group: from_group.into(),
            from_node: from_node.into(),
            hops: 1,
            ..Crossing::default()
        };
        crossing.encode_to_vec().into()
    }

    /// Twice, since the second time it is remembered.
    fn read(source: NodeId, encoded: &Bytes) -> Result<Way, ErrorKind> {
        let (shared, mut last) = (shared(), LastWay::default());
        let mut read = || {
            let way = last.read(&shared, source, encoded);
            way.map_err(|error| error.kind)
        };
        let first = read();
        assert_eq!(format!("{first:?}"), format!("{:?}", read()));
        first
    }

    #[test]
    fn a_bridge_is_believed_and_a_service_is_not() {
        let Ok(Way::From(origin)) = read(BRIDGE, &brought("GroupB", "scene@1")) else {
            panic!("a bridge is not believed");
        };
        let expected = Origin {
            group: "GroupB".parse().unwrap(),
            node: "scene@1".into(),
            hops: 1,
        };
        assert_eq!(*origin, expected);
        let claim = brought("GroupB", "scene@1");
        assert!(matches!(read(SERVICE, &claim), Ok(Way::Within)));
        assert!(matches!(read(SERVICE, &Bytes::new()), Ok(Way::Within)));
    }

    #[test]
    fn what_a_node_brings_that_may_be_a_bridge_is_no_request_of_the_own_group() {
        let claim = brought("GroupB", "scene@1");
        assert_eq!(read(STRANGER, &claim).unwrap_err(), ErrorKind::Unavailable);
        assert!(matches!(read(STRANGER, &Bytes::new()), Ok(Way::Within)));
    }

    #[test]
    fn what_a_bridge_brings_from_nowhere_is_refused() {
        for (group, node) in [("", "scene@1"), ("Group B", "scene@1"), ("GroupB", "scene")] {
            let claim = brought(group, node);
            assert_eq!(read(BRIDGE, &claim).unwrap_err(), ErrorKind::Handler);
        }
        // A bridge may not know the name yet.
        assert!(matches!(
            read(BRIDGE, &brought("GroupB", "")),
            Ok(Way::From(_))
        ));
        let garbage = Bytes::from_static(b"\xff\xff");
        assert_eq!(read(SERVICE, &garbage).unwrap_err(), ErrorKind::Handler);
    }

    #[test]
    fn another_way_is_not_taken_for_the_last_one() {
        let (shared, mut last) = (shared(), LastWay::default());
        for group in ["GroupB", "GroupC", "GroupB"] {
            let crossing = Crossing {
                group: group.into(),
                ..Crossing::default()
            };
            let encoded = crossing.encode_to_vec().into();
            let Ok(Way::To(read)) = last.read(&shared, SERVICE, &encoded) else {
                panic!("it is for {group}");
            };
            assert_eq!(*read, crossing);
        }
    }
}
