//! A bridge by hand: a node in each of two groups, that lets everything pass.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use ffrpc::{Node, NodeConfig, Responder, Services, Transit};
use protocol::{
    CallError, ErrorKind, NodeId,
    v1::{Crossing, GroupLink, Role},
};
use tokio::time::{Instant, sleep};

use super::group::{Group, config, until};

/// Two groups, a caller in the first, and a callee in the second.
pub(crate) struct Stage {
    pub(crate) a: Arc<Group>,
    pub(crate) b: Arc<Group>,
    pub(crate) caller: Node,
    pub(crate) callee: Node,
}

/// A bridge from the first group to the second.
pub(crate) struct Relay {
    pub(crate) in_a: Node,
    pub(crate) in_b: Node,
}

/// What the callee of a stage offers: `echo`, `slow` (takes 400 ms), `never`, and
/// `whence`.
fn services() -> Services {
    Services::new()
        .serve("echo", async |request| Ok(request.body))
        .serve("slow", async |request| {
            sleep(Duration::from_millis(400)).await;
            Ok(request.body)
        })
        .serve("never", async |_| std::future::pending().await)
        .serve("whence", async |request| {
            Ok(format!("{:?}", request.origin).into())
        })
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        let (a, b) = (Group::new("GroupA", 1), Group::new("GroupB", 2));
        let caller = a.service("caller@0", services()).await;
        let callee = b.service("callee@0", services()).await;
        Stage {
            a,
            b,
            caller,
            callee,
        }
    }

    /// `bridge@N`, which the caller knows to reach the other group.
    pub(crate) async fn relay(&self, number: u32) -> Relay {
        let config = config(&format!("bridge@{number}"), Role::Bridge);
        let relay = Relay::new(&self.a, &self.b, config, pass).await;
        relay.announce("GroupB", 2, true);
        let id = relay.in_a.id().unwrap();
        until(|| {
            let record = self.caller.record(id)?;
            (record.is_ready() && !record.groups.is_empty()).then_some(())
        })
        .await;
        relay
    }

    pub(crate) async fn call(&self, method: &'static str) -> Result<Bytes, CallError> {
        self.group().call(method, "?".into()).await
    }

    pub(crate) fn group(&self) -> ffrpc::Group {
        self.caller.group("GroupB".parse().unwrap())
    }
}

impl Relay {
    /// Gives what comes in `a` to `pass`, together with the node in `b`.
    pub(crate) async fn new(
        a: &Arc<Group>,
        b: &Arc<Group>,
        config: NodeConfig,
        pass: impl Fn(&Node, Transit, Responder) + Send + Sync + 'static,
    ) -> Relay {
        let far = Arc::new(OnceLock::<Node>::new());
        let of_services = Arc::clone(&far);
        let services = Services::new().bridge(move |transit, responder| {
            pass(of_services.get().unwrap(), transit, responder);
        });
        let in_b = b.join(config.clone(), Services::new()).await;
        assert!(far.set(in_b.clone()).is_ok());
        let in_a = a.join(config, services).await;
        Relay { in_a, in_b }
    }

    /// Says in the first group that it joins another.
    pub(crate) fn announce(&self, name: &str, identity: u64, reachable: bool) {
        self.in_a.set_groups(vec![GroupLink {
            name: name.into(),
            identity,
            reachable,
        }]);
    }

    pub(crate) fn id(&self) -> NodeId {
        self.in_a.id().unwrap()
    }
}

/// Passes a call on to `callee@0`, or whom it names.
pub(crate) fn pass(far: &Node, transit: Transit, responder: Responder) {
    let name = match transit.crossing.service.as_str() {
        "" => "callee@0",
        name => name,
    };
    let Some(callee) = far.resolve(&name.parse().unwrap()) else {
        let message = format!("no {name} there");
        return responder.respond(Err(CallError::new(ErrorKind::NotFound, message)));
    };
    let crossing = Crossing {
        from_group: "GroupA".into(),
        from_node: "caller@0".into(),
        hops: transit.crossing.hops + 1,
        ..Crossing::default()
    };
    let wait = transit.deadline.saturating_duration_since(Instant::now());
    let then = move |outcome| responder.respond(outcome);
    far.call_then(
        callee,
        transit.method,
        transit.body,
        wait,
        Some(&crossing),
        then,
    );
}
