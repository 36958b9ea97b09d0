//! Who is given more to do.

use std::collections::BTreeMap;

use protocol::{
    link::LocalBroker,
    v1::{LeastLoadedRequest, NodeState, Role},
};
use tokio::time::sleep;

use crate::harness::{Group, LEASE};

#[tokio::test(start_paused = true)]
async fn a_hundred_askers_in_a_row_are_spread_over_the_ready() {
    let group = Group::start(7);
    let mut members = Vec::new();
    for (n, load) in [0, 10, 0, 0].into_iter().enumerate() {
        let member = group.member(&format!("svc@{n}")).await;
        let state = match n {
            3 => NodeState::Draining,
            _ => NodeState::Ready,
        };
        member.report(state, load).await;
        members.push(member);
    }
    sleep(LEASE / 10).await;
    let mut given: BTreeMap<_, u32> = BTreeMap::new();
    for _ in 0..110 {
        let request = LeastLoadedRequest {
            role: Role::Service.into(),
            token: members[0].welcome.token.clone(),
        };
        *given
            .entry(group.broker.least_loaded(&request).unwrap())
            .or_default() += 1;
    }
    let to = |n: usize| given.get(&members[n].id()).copied().unwrap_or_default();
    assert_eq!([to(0), to(1), to(2), to(3)], [40, 30, 40, 0]);
}
