//! Whole groups in virtual time: whatever happens to brokers and links, what is
//! accepted between two living nodes arrives once and in order, and soon.
//!
//! Each run has a seed, which is printed when it fails; `REDRABBIT_SEED` repeats
//! one, `REDRABBIT_SEEDS` says how many there shall be.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod broker;
mod clock;
mod faults;
mod node;
mod plan;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
mod wires;
mod world;

use std::{
    env,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use faults::{Fault, NOTICED, SILENT};
use node::CALL_TIMEOUT;
use protocol::envelope::EnvelopeKind;
use world::World;

/// When everything is well again, what was accepted arrives within this: a
/// back-off of 2 s that has just begun on a route that is found out next.
const SETTLED: Duration = Duration::from_secs(6);
const SEEDS: u64 = 200;
/// Of the runs with one fault only.
const FEW_SEEDS: u64 = 40;

/// Runs the simulation for every seed, or the one that is asked for, on as many
/// threads as there are processors.
fn for_seeds(default: u64, run: fn(u64)) {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds = match number("REDRABBIT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REDRABBIT_SEEDS").unwrap_or(default),
    };
    let one_in = |part: u64, parts: u64, seeds: Range<u64>| {
        for seed in seeds.filter(|seed| seed % parts == part) {
            catch_unwind(AssertUnwindSafe(|| run(seed))).unwrap_or_else(|panic| {
                eprintln!("to repeat it: REDRABBIT_SEED={seed}");
                resume_unwind(panic)
            });
        }
    };
    let parts = std::thread::available_parallelism().map_or(1, |parts| parts.get() as u64);
    std::thread::scope(|scope| {
        for part in 0..parts {
            let seeds = seeds.clone();
            scope.spawn(move || one_in(part, parts, seeds));
        }
    });
}

/// Lets what is under way arrive, and looks at what came of it.
fn settle(world: &mut World) {
    let step = Duration::from_millis(5);
    world.busy = false;
    let quiet = world.clock.elapsed();
    while !world.is_settled() {
        let waited = world.clock.elapsed() - quiet;
        assert!(waited < SETTLED, "{}", unsettled(world));
        world.run_for(step);
    }
    // Calls to the dead end with their lease, or by their deadlines.
    let last = world.clock.elapsed() + CALL_TIMEOUT + 10 * step;
    while let Some(call) = world.open_call() {
        assert!(world.clock.elapsed() < last, "{call:?}");
        world.run_for(10 * step);
    }
    world.run_for(60 * step);
    assert!(world.is_settled(), "{}", unsettled(world));
}

fn unsettled(world: &World) -> String {
    let pairs = world.living_pairs();
    let open = pairs.filter(|(own, other)| {
        let (here, there) = (world.end(*own, *other), world.end(*other, *own));
        !here.is_settled() || there.delivered < here.accepted.len()
    });
    open.map(|(own, other)| format!("{own} -> {other}: {:?}\n", world.end(own, other).pair))
        .collect()
}

#[test]
fn a_group_delivers_what_it_accepts_whatever_happens_to_its_brokers() {
    for_seeds(SEEDS, |seed| {
        let mut choice = support::random::Random::new(!seed);
        let (nodes, slaves) = (choice.of(2..7) as usize, choice.of(0..4) as usize);
        let mut world = World::new(seed, nodes, slaves);
        let mut well = Duration::ZERO;
        for _ in 0..choice.of(1..7) {
            let at = Duration::from_millis(choice.of(100..4000));
            well = well.max(world.plan_fault(at));
        }
        if nodes > 2 && choice.percent(20) {
            let node = choice.index(nodes);
            world.soon(Duration::from_secs(1), Fault::NodeDies { node });
            well = well.max(Duration::from_secs(5));
        }
        // Some groups fall silent in the middle of it: then nothing new shows
        // that something is missing.
        let busy = match choice.percent(50) {
            true => well.mul_f64(choice.of(1..100) as f64 / 100.0),
            false => well,
        };
        world.run_for(busy);
        world.busy = false;
        world.run_for(well - busy);
        settle(&mut world);
    });
}

#[test]
fn a_slave_that_is_killed_costs_no_more_than_its_detection() {
    for_seeds(FEW_SEEDS, |seed| {
        let mut world = World::new(seed, 4, 3);
        world.run_for(Duration::from_millis(200));
        world.oldest = Duration::ZERO;
        world.suffer(Fault::Kill { broker: 1 });
        world.run_for(Duration::from_millis(300));
        settle(&mut world);
        // Its end is noticed at different times: until then others may still
        // send to it, and the answer to that takes its turn after.
        let bound = NOTICED + Duration::from_millis(20);
        assert!(world.oldest < bound, "a stall of {:?}", world.oldest);
        assert_eq!(world.brokers[0].given, 0, "by the master");
    });
}

#[test]
fn a_frozen_slave_is_routed_around_as_soon_as_its_links_are_given_up() {
    for_seeds(FEW_SEEDS, |seed| {
        let mut world = World::new(seed, 3, 2);
        world.run_for(Duration::from_millis(200));
        let time = Duration::from_secs(3);
        world.suffer(Fault::Freeze { broker: 1, time });
        world.run_for(time + Duration::from_millis(300));
        settle(&mut world);
        // Mostly it is half of that: a pair leaves a silent way by itself. But
        // it may be the way back that is silent.
        let bound = SILENT + SILENT / 4 + Duration::from_millis(20);
        assert!(world.oldest < bound, "a stall of {:?}", world.oldest);
        assert_eq!(world.brokers[0].given, 0, "by the master");
    });
}

#[test]
fn pairs_that_recover_all_at_once_share_the_room_that_there_is() {
    for_seeds(FEW_SEEDS, |seed| {
        let mut world = World::new(seed, 6, 2);
        world.busy = false;
        for broker in [1, 2] {
            let time = Duration::from_secs(10);
            world.suffer(Fault::Freeze { broker, time });
        }
        // Each pair as full as may be: three times what a link has room for.
        for (own, other) in world.living_pairs().collect::<Vec<_>>() {
            while world.send(own, other, EnvelopeKind::Notify, 0).is_ok() {}
        }
        world.suffer(Fault::Kill { broker: 1 });
        world.suffer(Fault::Kill { broker: 2 });
        world.run_for(NOTICED);
        settle(&mut world);
        let bound = Duration::from_secs(1);
        assert!(world.oldest < bound, "a stall of {:?}", world.oldest);
    });
}
