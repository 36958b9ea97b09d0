//! Which scenes are asked: decided from the directory alone.

use protocol::{
    NodeId, NodeName,
    v1::{ListNodesResponse, NodeRecord, NodeState, Role},
};

use super::ReloadError;

/// A scene of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: NodeName,
    pub(super) id: NodeId,
    /// It is about to end, and loads nothing any more.
    pub(super) drains: bool,
}

/// The scenes of these names, or all, in the order of their names.
pub(super) fn find(
    directory: &ListNodesResponse,
    names: &[NodeName],
) -> Result<Vec<Target>, ReloadError> {
    let nodes = directory
        .snapshot
        .as_ref()
        .map_or(&[][..], |snapshot| &snapshot.nodes);
    let mut scenes: Vec<Target> = nodes.iter().filter_map(scene).collect();
    scenes.sort_by(|one, other| one.name.cmp(&other.name));
    let group = || directory.group.clone();
    let there = || scenes.iter().map(|scene| scene.name.to_string()).collect();
    for name in names {
        if scenes.iter().any(|scene| scene.name == *name) {
            continue;
        }
        let name = name.clone();
        return match nodes.iter().find(|node| node.name == name.as_str()) {
            Some(node) => Err(ReloadError::NoScene {
                role: daemon::role_name(node.role()),
                name,
                group: group(),
                there: there(),
            }),
            None => Err(ReloadError::Unknown {
                name,
                group: group(),
                there: there(),
            }),
        };
    }
    if scenes.is_empty() {
        return Err(ReloadError::NoScenes { group: group() });
    }
    if !names.is_empty() {
        scenes.retain(|scene| names.contains(&scene.name));
    }
    Ok(scenes)
}

fn scene(node: &NodeRecord) -> Option<Target> {
    Some(Target {
        name: node
            .name
            .parse()
            .ok()
            .filter(|_| node.role() == Role::Scene)?,
        id: NodeId::from_u64(node.node_id),
        drains: node.state() == NodeState::Draining,
    })
}

#[cfg(test)]
mod tests {
    use protocol::v1::Snapshot;

    use super::*;

    fn directory(nodes: &[(&str, Role, NodeState)]) -> ListNodesResponse {
        let nodes = nodes
            .iter()
            .zip(1..)
            .map(|((name, role, state), serial)| NodeRecord {
                node_id: NodeId::new(7, serial).as_u64(),
                name: (*name).into(),
                role: (*role).into(),
                state: (*state).into(),
                ..NodeRecord::default()
            });
        ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot {
                revision: 1,
                nodes: nodes.collect(),
            }),
        }
    }

    fn found(directory: &ListNodesResponse, names: &[&str]) -> Result<String, String> {
        let names: Vec<NodeName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let found = find(directory, &names).map_err(|error| error.to_string())?;
        let shown = found.iter().map(|target| {
            let drains = if target.drains { " drains" } else { "" };
            format!("{}{drains}", target.name)
        });
        Ok(shown.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn scenes_are_found_by_name_or_all_of_them_in_order() {
        let group = directory(&[
            ("scene@10", Role::Scene, NodeState::Ready),
            ("gate@0", Role::Gate, NodeState::Ready),
            ("scene@9", Role::Scene, NodeState::Draining),
        ]);
        assert_eq!(found(&group, &[]).unwrap(), "scene@9 drains, scene@10");
        // Asked for twice, it is asked once.
        assert_eq!(
            found(&group, &["scene@10", "scene@10"]).unwrap(),
            "scene@10"
        );
    }

    #[test]
    fn what_is_no_scene_is_refused_with_those_there_are() {
        let group = directory(&[
            ("scene@0", Role::Scene, NodeState::Ready),
            ("gate@0", Role::Gate, NodeState::Ready),
        ]);
        let unknown = found(&group, &["scene@0", "scene@1"]).unwrap_err();
        assert_eq!(
            unknown,
            "there is no scene@1 in group GroupA; its scenes: scene@0"
        );
        let gate = found(&group, &["gate@0"]).unwrap_err();
        assert!(gate.starts_with("gate@0 is a gate: "), "{gate}");
        let none = found(&directory(&[]), &[]).unwrap_err();
        assert!(
            none.starts_with("there is no scene in group GroupA"),
            "{none}"
        );
    }
}
