//! Nodes that talk to each other all the time, and know exactly what has become
//! of it.
//!
//! Every node calls and notifies every other. The messages of a pair are
//! numbered as they are sent, so that their receiver sees what is missing,
//! repeated or out of turn, whatever has happened to the brokers in between;
//! every call's end is counted, and how long it took.

mod apart;
mod ledger;
mod member;
mod report;
mod sender;
mod stalls;

use std::{collections::BTreeMap, time::Duration};

use protocol::NodeId;
use tokio::sync::watch;

pub use apart::{Apart, Job, Said};
pub use member::{Load, Member, Phase};
pub use report::Report;
pub use stalls::Stalls;

use crate::{Brokers, eventually, within};

/// The traffic of a group.
pub struct Traffic {
    members: Vec<Member>,
    apart: Vec<Apart>,
    phase: watch::Sender<Phase>,
    load: Load,
}

/// Which broker carries what a node says to another.
pub type Routes = BTreeMap<(NodeId, NodeId), String>;

/// How many probes show which way a pair goes. More than what else may move
/// while nobody talks.
const PROBES: u64 = 20;

impl Traffic {
    /// Nodes that talk, from when this returns.
    pub async fn start(brokers: &Brokers, load: Load) -> Traffic {
        let mut traffic = Traffic::paused(brokers, load).await;
        traffic.resume();
        traffic.flows().await;
        traffic
    }

    /// Nodes that will talk, once they are told to.
    pub async fn paused(brokers: &Brokers, load: Load) -> Traffic {
        let phase = watch::Sender::new(Phase::Paused);
        let names: Vec<String> = (0..load.nodes).map(|n| format!("traffic@{n}")).collect();
        let mut members: Vec<Member> = names
            .iter()
            .map(|name| Member::join(brokers.config(name), phase.subscribe(), |_| ()))
            .collect();
        for (index, member) in members.iter_mut().enumerate() {
            within("a node is in its group", member.node().ready()).await;
            for (other, name) in names.iter().enumerate() {
                if other != index {
                    member.talk_to(name.parse().unwrap(), load);
                }
            }
        }
        let traffic = Traffic {
            members,
            apart: Vec::new(),
            phase,
            load,
        };
        for name in &names {
            traffic.knows(name).await;
        }
        traffic
    }

    /// One more node, in a process of its own, to which and from which the
    /// others talk. `prefix` is a command that starts commands.
    pub async fn add_apart(&mut self, brokers: &Brokers, name: &str, prefix: &[String]) {
        let config = brokers.config(name);
        let peers = self.members.iter().map(|member| member.node().name());
        let job = Job {
            name: name.to_owned(),
            master: brokers.master(),
            secret: config.secret.expose().to_owned(),
            peers: peers.map(ToString::to_string).collect(),
            load: self.load,
        };
        let apart = Apart::start(&job, prefix);
        eventually("a node apart is in its group", async || {
            (!apart.ids().is_empty()).then_some(())
        })
        .await;
        self.apart.push(apart);
        self.knows(name).await;
        for member in &mut self.members {
            member.talk_to(name.parse().unwrap(), self.load);
        }
    }

    /// The nodes in processes of their own.
    pub fn apart(&self) -> &[Apart] {
        &self.apart
    }

    /// The nodes in this process.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Who the nodes of this process are.
    pub fn ids(&self) -> Vec<Option<NodeId>> {
        self.members.iter().map(|one| one.node().id()).collect()
    }

    /// Nobody says anything from now on; what is under way goes on.
    pub fn pause(&mut self) {
        self.phase.send_replace(Phase::Paused);
    }

    pub fn resume(&mut self) {
        self.phase.send_replace(Phase::Running);
    }

    /// Waits until a call of every pair of this process has been answered that
    /// began after now.
    pub async fn flows(&self) {
        let before: Vec<_> = self.members.iter().map(Member::answered).collect();
        // More than were under way, so that one has begun since.
        let more = self.load.in_flight as u64 + 1;
        eventually("all pairs talk", async || {
            let ids = self.ids();
            let answered = |(index, member): (usize, &Member)| {
                let now = member.answered();
                let others = ids.iter().flatten().filter(|id| ids[index] != Some(**id));
                others.copied().all(|other| {
                    let Some(own) = ids[index] else { return false };
                    let pair = (own.as_u64(), other.as_u64());
                    let count = |counts: &BTreeMap<_, u64>| counts.get(&pair).copied().unwrap_or(0);
                    count(&now) >= count(&before[index]) + more
                })
            };
            self.members.iter().enumerate().all(answered).then_some(())
        })
        .await;
    }

    /// The longest call of each pair of this process since the last time.
    pub fn take_stalls(&self) -> Stalls {
        self.members.iter().flat_map(Member::take_stalls).collect()
    }

    /// The longest call of all since the last time.
    pub fn take_longest(&self) -> Duration {
        self.take_stalls().into_values().max().unwrap_or_default()
    }

    /// Which broker carries each pair of this process, found out by sending
    /// something and looking at what each broker has carried. The traffic is
    /// paused for it.
    pub async fn routes(&mut self, brokers: &Brokers) -> Routes {
        self.pause();
        let mut before = settled(brokers).await;
        let mut routes = Routes::new();
        for source in &self.members {
            for destination in &self.members {
                let pair = (
                    source.node().id().unwrap(),
                    destination.node().id().unwrap(),
                );
                if pair.0 == pair.1 {
                    continue;
                }
                let seen = destination.probes();
                for _ in 0..PROBES {
                    source.probe(pair.1);
                }
                eventually("probes arrive", async || {
                    (destination.probes() == seen + PROBES).then_some(())
                })
                .await;
                let after = carried(brokers).await;
                let way = after
                    .iter()
                    .find(|(name, count)| **count - before[*name] >= PROBES);
                routes.insert(pair, way.unwrap().0.clone());
                before = settled(brokers).await;
            }
        }
        self.resume();
        routes
    }

    /// Ends the traffic, waits for all that is under way, counts, and leaves.
    pub async fn stop(mut self) -> Report {
        self.phase.send_replace(Phase::Over);
        for apart in &mut self.apart {
            apart.order("over");
        }
        for member in &mut self.members {
            within("calls end", member.done()).await;
        }
        for apart in &self.apart {
            apart.done().await;
        }
        let mut parts: Vec<_> = self.members.iter().map(Member::part).collect();
        for apart in &mut self.apart {
            parts.push(apart.part().await);
        }
        for member in &self.members {
            within("a node leaves", member.node().leave()).await;
        }
        Report::of(&parts)
    }

    /// Waits until every node of this process can call the one of this name.
    async fn knows(&self, name: &str) {
        let name = name.parse().unwrap();
        eventually(&format!("all know {name}"), async || {
            let mut nodes = self.members.iter().map(Member::node);
            nodes
                .all(|node| *node.name() == name || node.resolve(&name).is_some())
                .then_some(())
        })
        .await;
    }
}

/// What each broker has carried.
async fn carried(brokers: &Brokers) -> BTreeMap<String, u64> {
    let mut carried = BTreeMap::new();
    for name in brokers.names() {
        carried.insert(name.to_owned(), brokers.carried(name).await);
    }
    carried
}

/// What each broker has carried, once nobody says anything any more, not even
/// that something has arrived.
async fn settled(brokers: &Brokers) -> BTreeMap<String, u64> {
    let mut before = carried(brokers).await;
    eventually("nothing moves", async || {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let now = carried(brokers).await;
        let quiet = now == before;
        before = now;
        quiet.then_some(())
    })
    .await;
    before
}
