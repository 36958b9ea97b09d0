//! Who is called: decided from the directory alone.

use protocol::{
    ErrorKind, NodeId, NodeName,
    method::SERVICE,
    v1::{ListNodesResponse, NodeRecord, NodeState, Role},
};

use super::CallFailure;
use crate::names::printable;

/// Whom the command line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// This node.
    Node(NodeName),
    /// One of those that are called so, before the `@`.
    Role(String),
    /// Whoever offers it.
    Any,
}

/// A node of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: NodeName,
    pub(super) id: NodeId,
    /// What it says that it offers.
    pub(super) offers: Vec<String>,
}

impl Wanted {
    pub(super) fn read(given: &str) -> Result<Wanted, CallFailure> {
        if given == "any" {
            return Ok(Wanted::Any);
        }
        if let Ok(name) = given.parse() {
            return Ok(Wanted::Node(name));
        }
        // A role is what makes a name with any number.
        match format!("{given}@0").parse::<NodeName>() {
            Ok(_) => Ok(Wanted::Role(given.to_owned())),
            Err(_) => Err(CallFailure::Target {
                given: given.chars().take(64).collect(),
            }),
        }
    }

    fn includes(&self, name: &NodeName) -> bool {
        match self {
            Wanted::Node(wanted) => wanted == name,
            Wanted::Role(role) => role == name.role(),
            Wanted::Any => true,
        }
    }
}

/// The node to call: of several, one that offers the method, is ready, and carries least.
pub(super) fn find(
    directory: &ListNodesResponse,
    wanted: &Wanted,
    method: &str,
) -> Result<Target, CallFailure> {
    let nodes = directory
        .snapshot
        .as_ref()
        .map_or(&[][..], |snapshot| &snapshot.nodes);
    let named = nodes
        .iter()
        .filter_map(|node| Some((node.name.parse::<NodeName>().ok()?, node)));
    let named: Vec<(NodeName, &NodeRecord)> = named
        .filter(|(name, node)| wanted.includes(name) && !is_operator(node))
        .collect();
    if let Wanted::Node(_) = wanted
        && let Some((name, node)) = named.first()
    {
        return match node.state() {
            NodeState::Ready => Ok(target(name, node)),
            state => Err(CallFailure::NotReady {
                name: name.clone(),
                state: state_words(state),
            }),
        };
    }
    let offering = named
        .iter()
        .filter(|(_, node)| node.state() == NodeState::Ready && offers(node, method))
        .min_by(|(one, this), (other, that)| (this.load, one).cmp(&(that.load, other)));
    if let Some((name, node)) = offering {
        return Ok(target(name, node));
    }
    Err(CallFailure::Nobody {
        kind: match named.is_empty() {
            true => ErrorKind::NotFound,
            false => ErrorKind::Unimplemented,
        },
        wanted: match wanted {
            Wanted::Node(name) => name.to_string(),
            Wanted::Role(role) => role.clone(),
            Wanted::Any => "node".to_owned(),
        },
        method: method.to_owned(),
        group: printable(&directory.group),
        there: who_offers(nodes),
    })
}

fn target(name: &NodeName, node: &NodeRecord) -> Target {
    Target {
        name: name.clone(),
        id: NodeId::from_u64(node.node_id),
        offers: offered(node),
    }
}

/// What a node says that it offers to people: `echo`, `200`.
fn offered(node: &NodeRecord) -> Vec<String> {
    let methods = node.methods.iter().filter(|method| is_for_people(method));
    let methods = methods.map(|method| printable(method));
    let services = node.script.iter().flat_map(|script| &script.services);
    methods.chain(services.map(u32::to_string)).collect()
}

fn is_for_people(method: &str) -> bool {
    !protocol::method::is_internal(method) && method != format!("{SERVICE}*")
}

fn offers(node: &NodeRecord, method: &str) -> bool {
    let fits = |offered: &String| match offered.strip_suffix('*') {
        Some(prefix) => method.starts_with(prefix),
        None => offered == method,
    };
    match method.strip_prefix(SERVICE).map(str::parse::<u32>) {
        // A scene takes all services, and its script says which it has.
        Some(Ok(cmd)) if node.role() == Role::Scene => {
            let script = node.script.as_ref();
            script.is_some_and(|script| script.services.contains(&cmd))
        }
        _ => node.methods.iter().any(fits),
    }
}

/// "scene@0 (200, 210), echo@0 (echo)".
fn who_offers(nodes: &[NodeRecord]) -> Vec<String> {
    let mut offering: Vec<(Option<NodeName>, String)> = nodes
        .iter()
        .filter(|node| !is_operator(node))
        .filter_map(|node| {
            let offered = super::error::briefly(&offered(node));
            let words = format!("{} ({offered})", printable(&node.name));
            (!offered.is_empty()).then(|| (node.name.parse().ok(), words))
        })
        .collect();
    offering.sort();
    offering.into_iter().map(|(_, words)| words).collect()
}

/// Whether it is a command such as this one.
fn is_operator(node: &NodeRecord) -> bool {
    node.role() == Role::Service && node.name.starts_with("operator@")
}

fn state_words(state: NodeState) -> &'static str {
    match state {
        NodeState::Draining => "is about to end (it drains)",
        _ => "is not ready yet",
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1::{Script, Snapshot};

    use super::*;

    fn directory() -> ListNodesResponse {
        let node = |serial, name: &str, role: Role, load, services: &[u32]| NodeRecord {
            node_id: NodeId::new(7, serial).as_u64(),
            name: name.into(),
            role: role.into(),
            state: NodeState::Ready.into(),
            load,
            methods: match role {
                Role::Scene => vec!["session.enter".into(), "service.*".into()],
                _ => vec!["echo".into(), "stat.*".into()],
            },
            script: (role == Role::Scene).then(|| Script {
                services: services.to_vec(),
                ..Script::default()
            }),
            ..NodeRecord::default()
        };
        ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot {
                revision: 1,
                nodes: vec![
                    node(1, "scene@0", Role::Scene, 10, &[200]),
                    node(2, "scene@1", Role::Scene, 3, &[200, 210]),
                    NodeRecord {
                        state: NodeState::Draining.into(),
                        ..node(3, "scene@2", Role::Scene, 0, &[200])
                    },
                    node(4, "echo@0", Role::Service, 0, &[]),
                    node(5, "operator@7", Role::Service, 0, &[]),
                ],
            }),
        }
    }

    fn found(wanted: &str, method: &str) -> Result<String, String> {
        let wanted = Wanted::read(wanted).map_err(|error| error.to_string())?;
        let found = find(&directory(), &wanted, method);
        found
            .map(|target| target.name.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn of_several_the_one_that_offers_it_and_carries_least_is_called() {
        assert_eq!(found("scene", "service.200").unwrap(), "scene@1");
        assert_eq!(found("scene@0", "service.200").unwrap(), "scene@0");
        assert_eq!(found("any", "stat.count").unwrap(), "echo@0");
        assert_eq!(found("echo", "echo").unwrap(), "echo@0");
        // The node knows best whether it has it: the directory may be a second old.
        assert_eq!(found("scene@0", "service.999").unwrap(), "scene@0");
    }

    #[test]
    fn who_cannot_be_called_is_said_with_who_can() {
        let nobody = found("scene@9", "service.200").unwrap_err();
        assert_eq!(
            nobody,
            "there is no scene@9 in group GroupA; what can be called there: echo@0 (echo, stat.*), \
             scene@0 (200), scene@1 (200, 210), scene@2 (200)"
        );
        let nothing = found("scene", "service.999").unwrap_err();
        assert!(
            nothing.starts_with("no scene in group GroupA offers 999; what"),
            "{nothing}"
        );
        let drains = found("scene@2", "service.200").unwrap_err();
        assert!(drains.starts_with("scene@2 is about to end"), "{drains}");
        let wrong = found("scene@", "echo").unwrap_err();
        assert!(wrong.contains("`scene@` is neither"), "{wrong}");
    }
}
