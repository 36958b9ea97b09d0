use std::time::{Duration, Instant};

use tests::{Callees, Callers, CrossLoad, Groups, Seed, Signal};

use super::stage::{A, B, OPEN, SHORT_LEASE, with_slave};

/// Some seconds, or as long as `REDRABBIT_CHAOS` says.
fn length() -> Duration {
    let seconds = std::env::var("REDRABBIT_CHAOS").map_or(6, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Ends and freezes bridges and slaves, one after the other, for so long; all are
/// there when it is done.
async fn rages(groups: &mut Groups, length: Duration) {
    let mut seed = Seed::new();
    let begun = Instant::now();
    while begun.elapsed() < length {
        let at = begun.elapsed();
        let victim = ["bridge@0", "bridge@1", "slave of A", "slave of B"][seed.below(4) as usize];
        let how = seed.below(4);
        let signal = [Signal::KILL, Signal::KILL, Signal::TERM, Signal::STOP][how as usize];
        let place = match victim {
            "slave of A" => Some(A),
            "slave of B" => Some(B),
            _ => None,
        };
        match (place, signal) {
            (Some(at), Signal::STOP) => {
                groups.at(at).signal("slave@0", Signal::STOP);
                wait(&mut seed, 16).await;
                groups.at(at).signal("slave@0", Signal::CONT);
            }
            (None, Signal::STOP) => {
                groups.bridges().signal(victim, Signal::STOP);
                wait(&mut seed, 16).await;
                groups.bridges().signal(victim, Signal::CONT);
            }
            (Some(at), signal) => {
                groups.at_mut(at).end("slave@0", signal).await;
                wait(&mut seed, 8).await;
                groups.at_mut(at).run("slave@0");
            }
            (None, signal) => {
                groups.end_bridge(victim, signal).await;
                wait(&mut seed, 8).await;
                groups.run_bridge(victim);
            }
        }
        println!("{at:.1?} to {:.1?}: {victim} {signal:?}", begun.elapsed());
        wait(&mut seed, 4).await;
    }
}

async fn wait(seed: &mut Seed, moments: u64) {
    for _ in 0..seed.below(moments) {
        seed.moment().await;
    }
}

#[tokio::test]
async fn no_call_is_handled_twice_and_each_that_is_answered_was_handled_whatever_ends() {
    let groups = [
        ("GroupA", with_slave(SHORT_LEASE)),
        ("GroupB", with_slave(OPEN)),
    ];
    let mut groups = Groups::start(&groups, 2).await;
    let callees = Callees::join(groups.at(B), 2).await;
    let load = CrossLoad {
        retries: true,
        ..CrossLoad::default()
    };
    let callers = Callers::start(groups.at(A), "GroupB", load).await;
    rages(&mut groups, length()).await;
    groups.are_ready().await;
    groups.are_linked().await;
    callers.flow().await;
    let ends = callers.stop().await;
    println!("{ends}");
    // Nothing else, and nothing in silence: every call has ended. One bridge may be given up,
    // for it was frozen for longer than its lease, while the other one is ended: then nobody
    // joins the other group.
    ends.are_answers_or(&["unavailable", "not_found"]);
    for body in &ends.answered {
        assert_eq!(callees.times(body), 1, "{body:?}");
    }
    let done = ends
        .failed
        .iter()
        .filter(|body| callees.times(body) > 0)
        .count();
    for body in &ends.failed {
        assert!(callees.times(body) <= 1, "{body:?}");
    }
    println!(
        "of {} that ended with an error {done} had been done",
        ends.failed.len()
    );
    assert_eq!(callees.came().1, 0);
}
