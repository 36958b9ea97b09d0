//! Whether the master answers, and what it says.

use std::{net::SocketAddr, path::Path, time::Duration};

use protocol::{
    NodeName,
    v1::{ListNodesResponse, NodeRecord, NodeState},
};
use tokio::{net::TcpStream, time::timeout};
use topology::{Plan, Topology};

use super::{Finding, Here};
use crate::{
    group::reachable,
    nodes::{self, Master, NodesError},
    time,
};

/// What was heard of the master.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Of a group: its directory.
    pub(super) directory: Option<Result<ListNodesResponse, NodesError>>,
    /// By how many microseconds its clock is ahead of ours, if it tells.
    pub(super) ahead: Option<i64>,
    /// Of bridges: the masters of the groups, and what came of it.
    pub(super) joined: Vec<(String, SocketAddr, Result<(), String>)>,
}

const CHECK: &str = "master";

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(3);

const HALF_A_SECOND: i64 = 500_000;

pub(super) async fn ask(plan: &Plan, secret: Option<&Path>) -> Heard {
    match plan {
        Plan::Group(topology) => of_group(topology, secret).await,
        Plan::Bridges(plan) => {
            let mut joined = Vec::new();
            for (group, other) in &plan.groups {
                let address = reachable(other.master);
                let answered = connect(address).await;
                joined.push((group.to_string(), address, answered));
            }
            Heard {
                joined,
                ..Heard::default()
            }
        }
    }
}

async fn of_group(topology: &Topology, secret: Option<&Path>) -> Heard {
    let secret = match secret.map(nodes::read_secret).transpose() {
        Ok(secret) => secret.unwrap_or_else(|| topology.security.secret.clone()),
        Err(error) => return refused(error),
    };
    let master = match Master::of(topology, secret) {
        Ok(master) => master,
        Err(error) => return refused(error),
    };
    match nodes::list_dated(&master).await {
        Ok((directory, date)) => Heard {
            directory: Some(Ok(directory)),
            // It is told to the second, and cut off.
            ahead: date.map(|date| date + HALF_A_SECOND - time::now()),
            joined: Vec::new(),
        },
        Err(error) => refused(error),
    }
}

fn refused(error: NodesError) -> Heard {
    Heard {
        directory: Some(Err(error)),
        ..Heard::default()
    }
}

async fn connect(address: SocketAddr) -> Result<(), String> {
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string().to_lowercase()),
        Err(_) => Err(format!("silence for {} s", PATIENCE.as_secs())),
    }
}

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let of_bridges = here
        .heard
        .joined
        .iter()
        .map(|(group, address, answered)| match answered {
            Ok(()) => Finding::ok(CHECK, format!("somebody listens at {address} for {group}")),
            Err(error) => Finding::fail(
                CHECK,
                format!("nobody answers at {address}, the master of {group}: {error}"),
                format!("start the master of {group}; look at firewalls in between"),
            ),
        });
    let of_group = match &here.heard.directory {
        Some(Ok(directory)) => answered(here, directory),
        Some(Err(error)) => vec![silent(here, error)],
        None => Vec::new(),
    };
    of_bridges.chain(of_group).collect()
}

/// It does: what it knows of the nodes that run here.
fn answered(here: &Here, directory: &ListNodesResponse) -> Vec<Finding> {
    let records = directory.snapshot.as_ref().map(|shown| &shown.nodes[..]);
    let records = records.unwrap_or_default();
    let nodes = super::finding::counted(records.len(), "node");
    let mut findings = vec![Finding::ok(
        CHECK,
        format!("it answers: {nodes} in the group"),
    )];
    for node in here.nodes.iter().filter(|node| here.runs(node)) {
        let record = records.iter().find(|record| record.name == node.as_str());
        findings.extend(unready(node, record.map(NodeRecord::state)));
    }
    findings
}

/// What keeps a node that runs here from its work, by its state in the directory.
fn unready(node: &NodeName, state: Option<NodeState>) -> Option<Finding> {
    let what = match state {
        Some(NodeState::Ready) => return None,
        Some(NodeState::Draining) => "is about to end: it drains",
        Some(_) => "is not ready yet",
        None => "is not in the group",
    };
    let text = format!("{node} runs here and {what}");
    let fix = format!("`redrabbit logs --node {node}`, or its log elsewhere, says why");
    Some(Finding::warn(CHECK, text, fix))
}

/// Before anything is started here, a master of this machine cannot answer.
fn silent(here: &Here, error: &NodesError) -> Finding {
    let topology = here.group();
    let is_here = topology.is_some_and(|group| here.nodes.contains(&group.master.name));
    let is_silent = matches!(error, NodesError::Unreachable { .. });
    if is_here && is_silent && here.processes.is_empty() {
        let text = "no node runs on this machine, the master neither";
        let fix = match here.place.systemd {
            true => "`systemctl start redrabbit.target`".to_owned(),
            false => format!("`redrabbit up {}`", here.place.file.display()),
        };
        return Finding::warn(CHECK, text, fix);
    }
    let text = error.to_string();
    let (text, fix) = match text.split_once("; ") {
        Some((text, fix)) => (text.to_owned(), fix.to_owned()),
        None => (text, "the log of the master may say more".to_owned()),
    };
    Finding::fail(CHECK, text, fix)
}
