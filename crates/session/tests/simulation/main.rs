//! Whole groups, by chance: clients come and go, scenes and gates die and return,
//! each node hears of it at its own time, and a session is never held twice.
//!
//! Each run has a seed, which is printed when it fails; `REDRABBIT_SEED` repeats
//! one and tells what happens, `REDRABBIT_SEEDS` says how many there shall be.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod directory;
mod gate;
mod messages;
mod owner;
#[allow(dead_code, reason = "it is shared with the simulation of brokers")]
#[path = "../../../ffrpc/tests/support/random.rs"]
mod random;
mod record;
mod rest;
mod scene;
mod schedule;
mod world;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Mutex,
};

use record::Counts;
use world::World;

const SEEDS: u64 = 600;
const STEPS: u64 = 5000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

fn run(seed: u64) -> Counts {
    let mut world = World::new(seed, number("REDRABBIT_SEED").is_some());
    let rounds = 1 + world.rest.random.of(0..3);
    for _ in 0..rounds {
        for _ in 0..STEPS / rounds {
            world.step();
        }
        world.settle();
    }
    for client in 0..world.rest.clients.len() {
        world.client_closes(client);
    }
    world.settle();
    world.check_empty();
    world.rest.record.counts
}

#[test]
fn a_session_is_held_once_whatever_happens() {
    let seeds = match number("REDRABBIT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REDRABBIT_SEEDS").unwrap_or(SEEDS),
    };
    let total = Mutex::new(Counts::default());
    let parts = std::thread::available_parallelism().map_or(1, |parts| parts.get() as u64);
    std::thread::scope(|scope| {
        for part in 0..parts {
            let (seeds, total) = (seeds.clone(), &total);
            scope.spawn(move || {
                for seed in seeds.filter(|seed| seed % parts == part) {
                    let counts = catch_unwind(AssertUnwindSafe(|| run(seed)));
                    let counts = counts.unwrap_or_else(|panic| {
                        eprintln!("to repeat it: REDRABBIT_SEED={seed}");
                        resume_unwind(panic)
                    });
                    total.lock().unwrap().add(counts);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    eprintln!("{total:?}");
    if seeds_are_many() {
        total.check_worth();
    }
}

fn seeds_are_many() -> bool {
    number("REDRABBIT_SEED").is_none() && number("REDRABBIT_SEEDS").is_none_or(|seeds| seeds >= 100)
}
