//! The groups that a bridge says it joins.

use std::collections::BTreeMap;

use protocol::{GroupName, v1::GroupLink};

/// How many groups of a bridge are passed on, at most.
const MAX_GROUPS: usize = 256;

/// What the group hears of the groups that a bridge reports: the same, in the order
/// of their names, so that a report that says no more in another order is no change.
/// More than there may be, a name that is none, and a name twice: nothing of it, as
/// of a script that tells too much.
pub(super) fn taken(groups: Vec<GroupLink>) -> Vec<GroupLink> {
    let told = groups.len();
    if told > MAX_GROUPS || !groups.iter().all(|group| is_name(&group.name)) {
        return Vec::new();
    }
    let by_name: BTreeMap<String, GroupLink> = groups
        .into_iter()
        .map(|group| (group.name.clone(), group))
        .collect();
    if by_name.len() < told {
        return Vec::new();
    }
    by_name.into_values().collect()
}

fn is_name(name: &str) -> bool {
    name.parse::<GroupName>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: impl Into<String>) -> GroupLink {
        GroupLink {
            name: name.into(),
            identity: 7,
            reachable: true,
        }
    }

    fn many(count: usize) -> Vec<GroupLink> {
        (0..count).map(|n| link(format!("Group{n}"))).collect()
    }

    #[test]
    fn groups_are_taken_in_the_order_of_their_names() {
        let told = vec![link("GroupC"), link("GroupB")];
        let expected = vec![link("GroupB"), link("GroupC")];
        assert_eq!(taken(told), expected);
        assert_eq!(taken(expected.clone()), expected);
        assert_eq!(taken(Vec::new()), []);
    }

    #[test]
    fn of_too_many_groups_none_is_taken() {
        assert_eq!(taken(many(MAX_GROUPS)).len(), MAX_GROUPS);
        assert_eq!(taken(many(MAX_GROUPS + 1)), []);
    }

    #[test]
    fn a_name_that_is_none_or_comes_twice_spoils_the_list() {
        let long = "g".repeat(65);
        for wrong in ["", "Group B", "Gruppe-ä", long.as_str(), "GroupA"] {
            let told = vec![link("GroupA"), link(wrong)];
            assert_eq!(taken(told), [], "{wrong:?} was taken");
        }
    }
}
