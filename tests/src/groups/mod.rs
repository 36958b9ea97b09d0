//! Several groups, and the bridges between them, each daemon a process of its own.
//!
//! - [`Groups`] is all of them; [`Bridges`] is the bridges alone, each with a file of
//!   its own, which a test may write as it likes.
//! - [`Callers`] are nodes of this process that call another group all the time and
//!   count how every call ends; [`Callees`] are nodes that answer and count what came.

mod bridges;
mod callee;
mod caller;
mod tally;

use protocol::v1::{NodeRecord, NodeState};

pub use bridges::{Bridges, Join};
pub use callee::{Callees, ECHO_METHOD, LARGE_METHOD, WAIT_METHOD};
pub use caller::{Callers, Load as CrossLoad};
pub use tally::{Ends, Tally as CrossTally};

use crate::{Cluster, Members, Place, Signal, eventually};

/// Groups and bridges. Everything ends when this is dropped.
pub struct Groups {
    bridges: Bridges,
    clusters: Vec<Cluster>,
}

impl Groups {
    /// Starts groups of these names, and so many bridges that join all of them. Waits
    /// until every group reaches every other through each of the bridges.
    pub async fn start(groups: &[(&str, Members<'_>)], bridges: u16) -> Groups {
        let mut groups = Groups::launch(groups);
        for index in 0..bridges {
            groups.run_bridge(&bridge(index));
        }
        groups.are_ready().await;
        groups.are_linked().await;
        groups
    }

    /// Starts groups without any bridge, and does not wait. Two may have one name.
    pub fn launch(groups: &[(&str, Members<'_>)]) -> Groups {
        let places = groups.iter().zip(0..).map(|((group, members), index)| {
            let place = Place {
                group: (*group).to_owned(),
                index,
                ..Place::default()
            };
            (place, *members)
        });
        Groups::launch_at(places)
    }

    /// As [`launch`](Self::launch), and groups may have a secret.
    pub fn launch_at<'a>(places: impl Iterator<Item = (Place, Members<'a>)>) -> Groups {
        Groups {
            bridges: Bridges::new(),
            clusters: places
                .map(|(place, members)| Cluster::launch(place, members))
                .collect(),
        }
    }

    /// Waits until every process of the groups is ready.
    pub async fn are_ready(&self) {
        for cluster in &self.clusters {
            for name in cluster.names() {
                cluster.has(&name).await;
            }
            cluster.gates_can_verify().await;
        }
    }

    /// Waits until every bridge that runs reaches every group, and all have heard.
    pub async fn are_linked(&self) {
        for name in self.bridges.names() {
            self.is_linked(&name).await;
        }
    }

    /// Waits until this bridge reaches every group, and all have heard.
    pub async fn is_linked(&self, bridge: &str) {
        for (own, cluster) in self.clusters.iter().enumerate() {
            for (other, place) in self.clusters.iter().map(Cluster::place).enumerate() {
                if own != other {
                    reaches(cluster, bridge, &place.group, true).await;
                }
            }
        }
    }

    /// The group in this place.
    pub fn at(&self, index: usize) -> &Cluster {
        &self.clusters[index]
    }

    /// The group in this place, to be hurt.
    pub fn at_mut(&mut self, index: usize) -> &mut Cluster {
        &mut self.clusters[index]
    }

    /// The bridges.
    pub fn bridges(&self) -> &Bridges {
        &self.bridges
    }

    /// The bridges, to be hurt.
    pub fn bridges_mut(&mut self) -> &mut Bridges {
        &mut self.bridges
    }

    /// What a bridge is told of a group.
    pub fn join(&self, index: usize) -> Join {
        let cluster = &self.clusters[index];
        Join {
            group: cluster.place().group.clone(),
            master: cluster.master(),
            secret: cluster.place().secret.clone(),
        }
    }

    /// Starts a bridge of all groups, for the first time or again.
    pub fn run_bridge(&mut self, name: &str) {
        let joins: Vec<Join> = (0..self.clusters.len()).map(|at| self.join(at)).collect();
        self.bridges.run_with(name, &joins);
    }

    /// Ends a bridge, whatever the signal is that does it.
    pub async fn end_bridge(&mut self, name: &str, signal: Signal) {
        self.bridges.end(name, signal).await;
    }
}

/// The name of a bridge.
pub fn bridge(index: u16) -> String {
    format!("bridge@{index}")
}

/// Waits until this bridge says in a group whether it reaches another one.
pub async fn reaches(cluster: &Cluster, bridge: &str, group: &str, reachable: bool) {
    let own = &cluster.place().group;
    let not = if reachable { "" } else { "not " };
    let what = format!("{own} hears that {bridge} reaches {group}, or does not: {not}reachable");
    eventually(&what, async || {
        let record = record(cluster, bridge).await?;
        let link = record.groups.iter().find(|link| link.name == group)?;
        (record.state() == NodeState::Ready && link.reachable == reachable).then_some(())
    })
    .await;
}

/// What the directory of a group says of a node.
pub async fn record(cluster: &Cluster, name: &str) -> Option<NodeRecord> {
    let nodes = cluster.nodes().await?;
    nodes.into_iter().find(|node| node.name == name)
}
