//! What a bridge says in each group of the others.

use ffrpc::Membership;
use protocol::{GroupName, v1::GroupLink};

/// How a bridge stands in one of its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which group it is, or was when the bridge was last in it; 0 for never.
    identity: u64,
    /// The name of the group that the bridge is in, where it is another one than it
    /// was told.
    pub(crate) conflict: Option<String>,
    /// Whether calls get there.
    pub(crate) reachable: bool,
    /// Whether what is said there is of the group that the bridge was told.
    pub(crate) trusted: bool,
}

impl Standing {
    /// How it stands after this: `membership` is what the master's last welcome has
    /// said, `reach` whether the bridge is in the group and a broker carries
    /// something.
    pub(crate) fn next(
        &self,
        name: &GroupName,
        membership: Option<&Membership>,
        reach: bool,
    ) -> Self {
        match membership {
            None => Standing {
                identity: self.identity,
                ..Standing::default()
            },
            Some(found) if found.group != name.as_str() => Standing {
                conflict: Some(found.group.clone()),
                ..Standing::default()
            },
            Some(found) => Standing {
                identity: found.identity,
                conflict: None,
                reachable: reach,
                trusted: true,
            },
        }
    }
}

/// What is reported in the group at `own`: all the others. In a group that is not the
/// one that the bridge was told, nothing is.
pub(crate) fn announced(
    groups: &[GroupName],
    standings: &[Standing],
    own: usize,
) -> Vec<GroupLink> {
    if standings
        .get(own)
        .is_none_or(|standing| standing.conflict.is_some())
    {
        return Vec::new();
    }
    let groups = groups.iter().zip(standings).enumerate();
    let others = groups.filter(|(place, _)| *place != own);
    others
        .map(|(_, (name, standing))| GroupLink {
            name: name.to_string(),
            identity: standing.identity,
            reachable: standing.reachable,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Vec<GroupName> {
        ["GroupA", "GroupB", "GroupC"]
            .map(|name| name.parse().unwrap())
            .into()
    }

    fn member(group: &str, identity: u64) -> Membership {
        Membership {
            group: group.into(),
            identity,
        }
    }

    fn link(name: &str, identity: u64, reachable: bool) -> GroupLink {
        GroupLink {
            name: name.into(),
            identity,
            reachable,
        }
    }

    #[test]
    fn each_group_is_told_of_the_others() {
        let groups = groups();
        let (in_a, in_b) = (member("GroupA", 7), member("GroupB", 8));
        let standings = [
            Standing::default().next(&groups[0], Some(&in_a), true),
            Standing::default().next(&groups[1], Some(&in_b), false),
            Standing::default().next(&groups[2], None, false),
        ];
        let (a, b, c) = (
            link("GroupA", 7, true),
            link("GroupB", 8, false),
            link("GroupC", 0, false),
        );
        assert_eq!(announced(&groups, &standings, 0), [b.clone(), c.clone()]);
        assert_eq!(announced(&groups, &standings, 1), [a.clone(), c]);
        assert_eq!(announced(&groups, &standings, 2), [a, b]);
    }

    #[test]
    fn a_group_that_is_lost_keeps_its_identity_and_is_not_reachable() {
        let groups = groups();
        let there = Standing::default().next(&groups[0], Some(&member("GroupA", 7)), true);
        let lost = there.next(&groups[0], None, true);
        assert!(!lost.reachable && !lost.trusted);
        let links = announced(&groups[..2], &[lost, Standing::default()], 1);
        assert_eq!(links, [link("GroupA", 7, false)]);
    }

    #[test]
    fn a_group_of_another_name_is_not_reachable_and_is_told_nothing() {
        let groups = groups();
        let there = Standing::default().next(&groups[0], Some(&member("GroupA", 7)), true);
        let wrong = there.next(&groups[0], Some(&member("GroupX", 9)), true);
        assert_eq!(wrong.conflict.as_deref(), Some("GroupX"));
        assert!(!wrong.reachable && !wrong.trusted);
        let standings = [wrong.clone(), Standing::default()];
        assert_eq!(announced(&groups[..2], &standings, 0), []);
        assert_eq!(
            announced(&groups[..2], &standings, 1),
            [link("GroupA", 0, false)]
        );
        // Until the right one answers.
        let right = wrong.next(&groups[0], Some(&member("GroupA", 7)), true);
        assert!(right.reachable && right.trusted);
    }
}
