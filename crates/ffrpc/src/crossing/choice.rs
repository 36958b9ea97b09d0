//! By which bridge a node calls another group: decided alone, and asked of nobody.

use std::sync::Arc;

use protocol::{CallError, ErrorKind, GroupName, NodeId, v1::GroupLink};

use crate::{channel::mix, replica::NodeRecord};

/// The bridge by which `own` calls `group`: of those that reach it and are not
/// `silent`, the one with the highest rendezvous hash. So bridges share the callers,
/// and one that comes or goes moves only those that it carries.
///
/// Where two groups claim the name, neither is called, not even while only one of them
/// can be reached: it may be the wrong one.
///
/// # Errors
/// `NotFound`: no bridge joins that group. `Unavailable`: none reaches it now, or
/// they join groups of that name which are not the same.
pub(crate) fn choose<'a>(
    own: NodeId,
    group: &GroupName,
    bridges: impl Iterator<Item = &'a Arc<NodeRecord>> + Clone,
    silent: impl Fn(NodeId) -> bool,
) -> Result<&'a Arc<NodeRecord>, CallError> {
    let joins = |bridge: &'a Arc<NodeRecord>| Some((bridge, link(bridge, group)?));
    let known = bridges.filter_map(joins);
    let key = key(own, group);
    let mut claimed: Option<(u64, &NodeRecord)> = None;
    let mut best: Option<(u64, &Arc<NodeRecord>)> = None;
    for (bridge, link) in known.clone() {
        match claimed {
            _ if link.identity == 0 => {}
            Some((identity, other)) if identity != link.identity => {
                return Err(claimed_twice(group, other, bridge));
            }
            _ => claimed = Some((link.identity, bridge)),
        }
        let score = mix(key ^ bridge.id.as_u64());
        let is_better = best.is_none_or(|(best, _)| score > best);
        if is_better && link.reachable && bridge.is_ready() && !silent(bridge.id) {
            best = Some((score, bridge));
        }
    }
    match best {
        Some((_, bridge)) => Ok(bridge),
        None => Err(nowhere(group, known)),
    }
}

/// What the bridge says of the group.
fn link<'a>(bridge: &'a NodeRecord, group: &GroupName) -> Option<&'a GroupLink> {
    let mut links = bridge.groups.iter();
    links.find(|link| link.name == group.as_str())
}

/// The hash of a caller and a group.
fn key(own: NodeId, group: &GroupName) -> u64 {
    let words = group.as_str().as_bytes().chunks(size_of::<u64>());
    words.fold(mix(own.as_u64()), |hash, word| {
        let mut bytes = [0; size_of::<u64>()];
        bytes[..word.len()].copy_from_slice(word);
        mix(hash ^ u64::from_le_bytes(bytes))
    })
}

fn claimed_twice(group: &GroupName, one: &NodeRecord, other: &NodeRecord) -> CallError {
    CallError::new(
        ErrorKind::Unavailable,
        format!(
            "two groups claim the name {group}: {} reaches one and {} another; \
             give one of them a name of its own",
            one.name, other.name
        ),
    )
}

/// Why none of the bridges that join the group will do.
fn nowhere<'a>(
    group: &GroupName,
    known: impl Iterator<Item = (&'a Arc<NodeRecord>, &'a GroupLink)>,
) -> CallError {
    let why = |(bridge, link): (&Arc<NodeRecord>, &GroupLink)| {
        let name = &bridge.name;
        match bridge.is_ready() {
            _ if !link.reachable => format!("{name} does not reach it"),
            true => format!("{name} does not answer"),
            false => format!("{name} takes no new calls"),
        }
    };
    let reasons: Vec<String> = known.map(why).collect();
    if reasons.is_empty() {
        let message = format!("no bridge of this group joins {group}");
        return CallError::new(ErrorKind::NotFound, message);
    }
    CallError::new(
        ErrorKind::Unavailable,
        format!("{group} cannot be reached now: {}", reasons.join(", ")),
    )
}

#[cfg(test)]
mod tests;
