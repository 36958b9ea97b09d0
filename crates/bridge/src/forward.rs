//! A call's way through the bridge.
//!
//! It runs on the task of the node that the call came to, and its end on that of the
//! node that it went to: no task, no wait, and a lock for a look-up at a time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ffrpc::{Node, Onward, Responder, Transit};
use protocol::{CallError, method::MAX_HOPS};

use crate::{
    groups::Groups,
    metrics::UNKNOWN,
    offers::Chosen,
    refusal::{Asked, Refusal},
    route::{Ends, Route},
};

/// Whom a call is for, and how long it may take.
struct Passage<'a> {
    to: usize,
    node: &'a Node,
    chosen: Chosen,
    wait: Duration,
}

/// A call that was passed on. It has one end.
struct OnTheWay {
    groups: Arc<Groups>,
    from: usize,
    to: usize,
    chosen: Chosen,
    responder: Responder,
}

/// Passes a call of the group at `from` on, or refuses it.
pub(crate) fn forward(groups: Arc<Groups>, from: usize, transit: Transit, responder: Responder) {
    groups.arrived.fetch_add(1, Ordering::Relaxed);
    let passage = match admit(&groups, from, &transit) {
        Ok(passage) => passage,
        Err(refusal) => return responder.respond(Err(refuse(&groups, from, &transit, refusal))),
    };
    let Passage {
        to,
        node,
        chosen,
        wait,
    } = passage;
    let node = node.clone();
    let member = &groups.members()[from];
    let crossing = member
        .callers()
        .crossing(transit.source, transit.crossing.hops);
    groups.under_way.fetch_add(1, Ordering::SeqCst);
    member.route(Some(to)).begun(ends(&groups, from, Some(to)));
    let call = OnTheWay {
        groups,
        from,
        to,
        chosen,
        responder,
    };
    let then = move |outcome| call.end(outcome);
    let Transit {
        method,
        body,
        trace,
        ..
    } = transit;
    let onward = Onward {
        method,
        body,
        wait,
        crossing,
        trace,
    };
    node.pass_on(chosen.node, onward, then);
}

/// Whom the call is for, if it may pass.
fn admit<'a>(groups: &'a Groups, from: usize, transit: &Transit) -> Result<Passage<'a>, Refusal> {
    let crossing = &transit.crossing;
    let source = &groups.members()[from];
    if !source.is_trusted() {
        return Err(Refusal::WrongGroup);
    }
    if crossing.hops >= MAX_HOPS {
        return Err(Refusal::Hops);
    }
    let to = groups
        .other(from, &crossing.group)
        .ok_or(Refusal::UnknownGroup)?;
    let member = &groups.members()[to];
    let node = member
        .node()
        .filter(|_| member.is_reachable())
        .ok_or(Refusal::Unreachable)?;
    if !source.route(Some(to)).has_room() {
        return Err(Refusal::Overloaded);
    }
    let wait = transit.wait;
    if wait.is_zero() {
        return Err(Refusal::Late);
    }
    let method = transit.method.as_str();
    let chosen = member.room().choose(from, &crossing.service, method)?;
    Ok(Passage {
        to,
        node,
        chosen,
        wait,
    })
}

impl OnTheWay {
    fn end(self, outcome: Result<bytes::Bytes, CallError>) {
        let groups = &self.groups;
        groups.members()[self.to].room().ended(self.chosen);
        let to = Some(self.to);
        let route = groups.members()[self.from].route(to);
        route.ended(ends(groups, self.from, to), &outcome);
        self.responder.respond(outcome);
        // Last, so that a drain that sees no call has every answer on its way.
        groups.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn refuse(groups: &Groups, from: usize, transit: &Transit, refusal: Refusal) -> CallError {
    let to = groups.other(from, &transit.crossing.group);
    let error = refusal.error(Asked {
        bridge: groups.bridge.as_str(),
        from: groups.members()[from].name.as_str(),
        group: &transit.crossing.group,
        service: &transit.crossing.service,
        method: transit.method.as_str(),
    });
    let route: &Route = groups.members()[from].route(to);
    route.refused(ends(groups, from, to), refusal, &error);
    error
}

fn ends(groups: &Groups, from: usize, to: Option<usize>) -> Ends<'_> {
    Ends {
        from: groups.members()[from].name.as_str(),
        to: to.map_or(UNKNOWN, |to| groups.members()[to].name.as_str()),
    }
}
