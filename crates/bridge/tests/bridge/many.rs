//! Many calls, and bridges that stand in for each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bridge::Bridge;
use bytes::Bytes;
use ffrpc::{Group, Node};
use protocol::{CallError, ErrorKind, NodeId, v1::Crossing};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    Running, bridge, eventually, everything, group, joins, offering, reaching, start, within,
};

const CALLS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_have_one_end_each() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let carrier = bridge("bridge@0", &[&a, &b]).await;
    let (_one, _two, caller) = (
        b.echo("echo@0").await,
        b.echo("echo@1").await,
        a.caller().await,
    );
    let other = offering(&caller, "GroupB", "echo").await;
    let (bridge_id, ends) = (other.bridge().unwrap(), Ends::new());
    for call in 0..CALLS {
        // Some of them never get an answer: of those it is the deadline.
        let method = if call % 10 == 0 { "forever" } else { "echo" };
        ends.begin(&caller, bridge_id, call, method, Duration::from_secs(1));
    }
    let outcomes = ends.all().await;
    for (call, outcome) in outcomes.iter().enumerate() {
        match call % 10 {
            0 => assert_eq!(
                outcome.as_ref().unwrap_err().kind,
                ErrorKind::DeadlineExceeded
            ),
            _ => assert_eq!(outcome.as_ref().unwrap(), &call.to_string()),
        }
    }
    eventually(|| (carrier.calls() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_a_bridge_that_is_killed_have_one_end_each() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let killed = Killable::start("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let (bridge_id, ends) = (other.bridge().unwrap(), Ends::new());
    for call in 0..CALLS {
        let method = if call % 2 == 0 { "forever" } else { "echo" };
        ends.begin(&caller, bridge_id, call, method, Duration::from_secs(30));
    }
    killed.kill();
    let began = Instant::now();
    for outcome in ends.all().await {
        if let Err(error) = outcome {
            assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_bridge_stands_in_for_one_that_is_killed() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let bridges = [
        Killable::start("bridge@0", &[&a, &b]).await,
        Killable::start("bridge@1", &[&a, &b]).await,
    ];
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    for name in ["bridge@0", "bridge@1"] {
        let id = eventually(|| caller.resolve(&name.parse().unwrap())).await;
        eventually(|| {
            caller
                .record(id)
                .filter(|bridge| bridge.groups.iter().any(|group| group.reachable))
        })
        .await;
    }
    let traffic = Traffic::start(&other, 8);
    traffic.goes_on().await;
    let chosen = caller.record(other.bridge().unwrap()).unwrap();
    let [zero, one] = bridges;
    let (killed, _stands_in) = match chosen.name.as_str() {
        "bridge@0" => (zero, one),
        _ => (one, zero),
    };
    killed.kill();
    eventually(|| (other.bridge().is_ok_and(|bridge| bridge != chosen.id)).then_some(())).await;
    traffic.goes_on().await;
    let (stalled, errors) = traffic.stop().await;
    assert!(
        errors
            .iter()
            .all(|error| error.kind == ErrorKind::Unavailable),
        "{errors:?}"
    );
    // At most what each of the callers had under way, and what it tried until it heard.
    assert!(stalled < Duration::from_millis(1500), "{stalled:?}");
}

#[tokio::test]
async fn a_caller_that_has_gone_is_no_problem() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let carrier = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let pending = tokio::spawn(async move {
        other
            .call_within("forever", Bytes::new(), Duration::from_secs(2))
            .await
    });
    eventually(|| (carrier.calls() == 1).then_some(())).await;
    within(caller.leave()).await;
    assert!(within(pending).await.unwrap().is_err());
    eventually(|| (carrier.calls() == 0).then_some(())).await;
    let again = a.join("again@0", ffrpc::Services::new()).await;
    let other = reaching(&again, "GroupB").await;
    assert!(within(other.call("echo", Bytes::new())).await.is_ok());
}

/// Calls whose ends are counted.
struct Ends {
    ends_tx: mpsc::Sender<(usize, Result<Bytes, CallError>)>,
    ends_rx: mpsc::Receiver<(usize, Result<Bytes, CallError>)>,
}

impl Ends {
    fn new() -> Self {
        let (ends_tx, ends_rx) = mpsc::channel(2 * CALLS);
        Ends { ends_tx, ends_rx }
    }

    fn begin(
        &self,
        caller: &Node,
        bridge: NodeId,
        call: usize,
        method: &'static str,
        wait: Duration,
    ) {
        let crossing = Crossing {
            group: "GroupB".into(),
            ..Crossing::default()
        };
        let (ends, body) = (self.ends_tx.clone(), call.to_string());
        caller.call_then(
            bridge,
            method,
            body.into(),
            wait,
            Some(&crossing),
            move |outcome| {
                ends.try_send((call, outcome)).unwrap();
            },
        );
    }

    /// Each end once.
    async fn all(self) -> Vec<Result<Bytes, CallError>> {
        let Ends {
            ends_tx,
            mut ends_rx,
        } = self;
        drop(ends_tx);
        let mut outcomes: Vec<_> = (0..CALLS).map(|_| None).collect();
        // The channel closes when nobody is left who could tell of another end.
        while let Some((call, outcome)) = within(ends_rx.recv()).await {
            assert!(
                outcomes[call].replace(outcome).is_none(),
                "call {call} has ended twice"
            );
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.expect("a call has not ended"))
            .collect()
    }
}

/// A bridge on a runtime of its own, which can be ended as a process can.
struct Killable {
    runtime: Option<Runtime>,
    _bridge: Bridge,
}

impl Killable {
    async fn start(name: &'static str, groups: &[&Running]) -> Self {
        let groups: Vec<_> = groups
            .iter()
            .map(|group| joins(group.name, group.address()))
            .collect();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let started = runtime.spawn(async move {
            let bridge = start(name, groups);
            bridge.ready().await;
            bridge
        });
        let bridge = within(started).await.unwrap();
        Killable {
            runtime: Some(runtime),
            _bridge: bridge,
        }
    }

    fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Calls without a pause, and what becomes of them.
struct Traffic {
    stop: CancellationToken,
    done: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<(Duration, Vec<CallError>)>>,
}

impl Traffic {
    fn start(other: &Group, callers: usize) -> Traffic {
        let (stop, done) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let task = |_| tokio::spawn(calls(other.clone(), stop.clone(), Arc::clone(&done)));
        let tasks = (0..callers).map(task).collect();
        Traffic { stop, done, tasks }
    }

    /// Waits for another hundred calls.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        eventually(|| (self.done.load(Ordering::Relaxed) > before + 100).then_some(())).await;
    }

    /// How long somebody went without an answer at most, and what failed.
    async fn stop(self) -> (Duration, Vec<CallError>) {
        self.stop.cancel();
        let (mut stalled, mut failed) = (Duration::ZERO, Vec::new());
        for task in self.tasks {
            let (longest, errors) = within(task).await.unwrap();
            stalled = stalled.max(longest);
            failed.extend(errors);
        }
        (stalled, failed)
    }
}

async fn calls(
    other: Group,
    stop: CancellationToken,
    done: Arc<AtomicUsize>,
) -> (Duration, Vec<CallError>) {
    let (mut errors, mut stalled, mut last) = (Vec::new(), Duration::ZERO, Instant::now());
    while !stop.is_cancelled() {
        match other
            .clone()
            .call("echo", Bytes::from_static(b"hello"))
            .await
        {
            Ok(_) => {
                done.fetch_add(1, Ordering::Relaxed);
                stalled = stalled.max(last.elapsed());
                last = Instant::now();
            }
            Err(error) => {
                errors.push(error);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    (stalled, errors)
}
