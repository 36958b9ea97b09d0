//! Which other groups the bridges of a group join, and whether calls get there.

use std::collections::BTreeMap;

use protocol::v1::{NodeRecord, Role};
use serde::Serialize;

use super::view::by_name;
use crate::{names::printable, table::Table};

/// A group that bridges join beside the one that is shown.
#[derive(Debug, Serialize)]
pub(super) struct OtherGroup {
    name: String,
    /// Whether its name is that of two groups, so that calls to it are refused.
    claimed_twice: bool,
    bridges: Vec<Way>,
}

/// A bridge that joins it.
#[derive(Debug, Serialize)]
struct Way {
    name: String,
    reachable: bool,
    /// Which group of the name it is; not there while the bridge has never been in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
}

impl OtherGroup {
    /// All that the bridges among `nodes` say that they join, in the order of names.
    pub(super) fn all(nodes: &[NodeRecord]) -> Vec<OtherGroup> {
        let mut bridges: Vec<_> = nodes.iter().filter(|n| n.role() == Role::Bridge).collect();
        bridges.sort_by(|one, other| by_name(one, other));
        let mut groups = BTreeMap::<String, Vec<Way>>::new();
        for bridge in bridges {
            for link in &bridge.groups {
                let way = Way {
                    name: printable(&bridge.name),
                    reachable: link.reachable,
                    identity: (link.identity != 0).then(|| format!("{:016x}", link.identity)),
                };
                groups.entry(printable(&link.name)).or_default().push(way);
            }
        }
        let group = |(name, bridges): (_, Vec<Way>)| OtherGroup {
            name,
            claimed_twice: two_groups(&bridges).is_some(),
            bridges,
        };
        groups.into_iter().map(group).collect()
    }

    /// What is wrong with the name, if it is that of two groups.
    fn warning(&self) -> Option<String> {
        let (one, other) = two_groups(&self.bridges)?;
        let name = &self.name;
        Some(format!(
            "warning: two groups claim the name {name}: {one} reaches one and {other} another; \
             calls to {name} are refused until each has a name of its own, or both bridges are \
             told of the same master\n"
        ))
    }
}

/// A table of them, and what is wrong; nothing where there are none.
pub(super) fn to_table(groups: &[OtherGroup]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["OTHER GROUP", "BRIDGE", "REACHED", "IDENTITY"]);
    for group in groups {
        for way in &group.bridges {
            table.row([
                group.name.clone(),
                way.name.clone(),
                if way.reachable { "yes" } else { "no" }.to_owned(),
                way.identity.clone().unwrap_or_default(),
            ]);
        }
    }
    let warnings: String = groups.iter().filter_map(OtherGroup::warning).collect();
    let gap = if warnings.is_empty() { "" } else { "\n" };
    format!("\n{table}{gap}{warnings}")
}

/// The first two that know groups of one name which are not the same, whether they
/// reach them now or not. One that has never been in its group may know any.
fn two_groups(ways: &[Way]) -> Option<(&str, &str)> {
    let mut knowing = ways.iter().filter(|way| way.identity.is_some());
    let one = knowing.next()?;
    let other = knowing.find(|way| way.identity != one.identity)?;
    Some((&one.name, &other.name))
}

#[cfg(test)]
mod tests {
    use protocol::v1::GroupLink;

    use super::*;

    fn bridge(name: &str, links: &[(&str, u64, bool)]) -> NodeRecord {
        let groups = links.iter().map(|(name, identity, reachable)| GroupLink {
            name: (*name).into(),
            identity: *identity,
            reachable: *reachable,
        });
        NodeRecord {
            name: name.into(),
            role: Role::Bridge.into(),
            groups: groups.collect(),
            ..NodeRecord::default()
        }
    }

    #[test]
    fn every_group_has_a_line_for_each_bridge_that_joins_it() {
        let nodes = [
            bridge("bridge@10", &[("GroupB", 0xb, true)]),
            bridge("bridge@9", &[("GroupC", 0, false), ("GroupB", 0xb, false)]),
        ];
        assert_eq!(
            to_table(&OtherGroup::all(&nodes)),
            "\n\
             OTHER GROUP  BRIDGE     REACHED  IDENTITY\n\
             GroupB       bridge@9   no       000000000000000b\n\
             GroupB       bridge@10  yes      000000000000000b\n\
             GroupC       bridge@9   no       -\n"
        );
    }

    #[test]
    fn a_name_that_two_groups_claim_is_warned_of() {
        let nodes = [
            bridge("bridge@0", &[("GroupB", 0xb, true)]),
            bridge("bridge@1", &[("GroupB", 0, false)]),
            bridge("bridge@2", &[("GroupB", 0xa, false), ("GroupC", 0xc, true)]),
        ];
        let groups = OtherGroup::all(&nodes);
        let said = to_table(&groups);
        let warned =
            "\n\nwarning: two groups claim the name GroupB: bridge@0 reaches one and bridge@2 ";
        assert!(said.contains(warned), "{said}");
        assert_eq!(said.matches("warning").count(), 1);
        let claimed: Vec<_> = groups.iter().map(|group| group.claimed_twice).collect();
        assert_eq!(claimed, [true, false]);
    }

    #[test]
    fn only_what_bridges_say_counts_and_a_group_without_any_shows_nothing() {
        let mut scene = bridge("scene@0", &[("GroupB", 0xb, true)]);
        scene.set_role(Role::Scene);
        assert_eq!(to_table(&OtherGroup::all(&[scene])), "");
    }
}
