//! What is to drain, and whether it can: decided from the directory alone.

use protocol::{
    NodeId, NodeName,
    v1::{ListNodesResponse, NodeRecord, NodeState, Role},
};
use topology::Topology;

use super::DrainError;

/// A gate or a scene of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: NodeName,
    pub(super) id: NodeId,
    role: Role,
}

impl Target {
    /// The node of this name, if it can drain, and `to` take its sessions.
    pub(super) fn find(
        directory: &ListNodesResponse,
        name: &NodeName,
        to: Option<&NodeName>,
    ) -> Result<Target, DrainError> {
        let nodes = directory
            .snapshot
            .as_ref()
            .map_or(&[][..], |snapshot| &snapshot.nodes);
        let node = nodes.iter().find(|node| node.name == name.as_str());
        let Some(node) = node else {
            return Err(DrainError::Unknown {
                name: name.clone(),
                group: directory.group.clone(),
                there: names(nodes, |node| {
                    matches!(node.role(), Role::Gate | Role::Scene)
                }),
            });
        };
        let name = name.clone();
        match (node.role(), to) {
            (Role::Master | Role::Slave, _) => return Err(DrainError::Broker { name }),
            (Role::Gate, None) | (Role::Scene, _) => {}
            (Role::Gate, Some(_)) => return Err(DrainError::GateTo { name }),
            (role, _) => {
                let role = daemon::role_name(role);
                return Err(DrainError::NoSessions { name, role });
            }
        }
        if let Some(to) = to {
            if *to == name {
                return Err(DrainError::ToItself { name });
            }
            let takes = |node: &NodeRecord| {
                node.role() == Role::Scene
                    && node.state() == NodeState::Ready
                    && node.name != name.as_str()
            };
            let there = names(nodes, takes);
            if !there.iter().any(|scene| scene == to.as_str()) {
                return Err(DrainError::UnknownScene {
                    name: to.clone(),
                    group: directory.group.clone(),
                    there,
                });
            }
        }
        Ok(Target {
            name,
            id: NodeId::from_u64(node.node_id),
            role: node.role(),
        })
    }

    pub(super) fn is_scene(&self) -> bool {
        self.role == Role::Scene
    }

    /// The gates that ask it who a client is.
    pub(super) fn verifies_for<'a>(
        &'a self,
        topology: &'a Topology,
    ) -> impl Iterator<Item = &'a NodeName> {
        let gates = topology.gates.iter();
        gates.filter_map(|(gate, place)| (place.verify == self.name).then_some(gate))
    }
}

/// In the order of their names.
fn names(nodes: &[NodeRecord], wanted: impl Fn(&NodeRecord) -> bool) -> Vec<String> {
    let wanted = nodes.iter().filter(|node| wanted(node));
    let mut names: Vec<_> = wanted.map(|node| node.name.clone()).collect();
    names.sort_by_key(|name| (name.parse::<NodeName>().ok(), name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use protocol::v1::Snapshot;

    use super::*;

    fn directory() -> ListNodesResponse {
        let node = |serial, name: &str, role: Role, state: NodeState| NodeRecord {
            node_id: NodeId::new(7, serial).as_u64(),
            name: name.into(),
            role: role.into(),
            state: state.into(),
            ..NodeRecord::default()
        };
        let nodes = vec![
            node(1, "scene@10", Role::Scene, NodeState::Ready),
            node(2, "scene@9", Role::Scene, NodeState::Ready),
            node(3, "scene@2", Role::Scene, NodeState::Draining),
            node(4, "gate@0", Role::Gate, NodeState::Ready),
            node(5, "slave@0", Role::Slave, NodeState::Ready),
            node(6, "echo@0", Role::Service, NodeState::Ready),
        ];
        ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot { revision: 1, nodes }),
        }
    }

    fn find(name: &str, to: Option<&str>) -> Result<NodeId, String> {
        let to: Option<NodeName> = to.map(|to| to.parse().unwrap());
        let found = Target::find(&directory(), &name.parse().unwrap(), to.as_ref());
        found
            .map(|target| target.id)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn gates_and_scenes_drain_and_ready_scenes_take_sessions() {
        assert_eq!(find("gate@0", None).unwrap(), NodeId::new(7, 4));
        assert_eq!(find("scene@9", None).unwrap(), NodeId::new(7, 2));
        assert_eq!(
            find("scene@9", Some("scene@10")).unwrap(),
            NodeId::new(7, 1 + 1)
        );
        // One that drains already may be asked where its sessions go.
        assert_eq!(find("scene@2", Some("scene@9")).unwrap(), NodeId::new(7, 3));
    }

    #[test]
    fn what_cannot_be_is_said_with_what_can() {
        let wrong = [
            (
                "gate@1",
                None,
                "no gate@1 in group GroupA; what can drain there: gate@0, scene@2, scene@9, scene@10",
            ),
            (
                "scene@9",
                Some("scene@2"),
                "no scene@2 in group GroupA that takes sessions; its scenes: scene@10",
            ),
            ("scene@9", Some("gate@0"), "its scenes: scene@10"),
            (
                "scene@9",
                Some("scene@9"),
                "scene@9 cannot take its own sessions",
            ),
            ("gate@0", Some("scene@9"), "gate@0 is a gate: --to is for"),
            (
                "slave@0",
                None,
                "slave@0 is a broker, and drains when it is told to stop: send its process a SIGTERM",
            ),
            (
                "echo@0",
                None,
                "echo@0 is a service: gates and scenes can be drained",
            ),
        ];
        for (name, to, expected) in wrong {
            let said = find(name, to).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
