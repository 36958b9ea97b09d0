//! Whatever bytes come from a link or a client: the properties of `tests/fuzz`,
//! tried on its corpus and on what becomes of it by accident. The fuzzer looks
//! further, in `./tests/run long`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

#[path = "../fuzz/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is a crate of its own elsewhere"
)]
mod fuzz;

use std::{collections::BTreeMap, fs, path::Path};

use proptest::{prelude::*, sample::Index};

/// What may happen to bytes.
#[derive(Clone, Debug)]
enum Accident {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index, u8),
    Insert(Index, Vec<u8>),
    Twice(Index, Index),
    Join(Index),
}

fn accidents() -> impl Strategy<Value = Vec<Accident>> {
    let accident = prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Accident::Flip(at, bits)),
        any::<Index>().prop_map(Accident::Cut),
        (any::<Index>(), 1u8..20).prop_map(|(at, count)| Accident::Drop(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, more)| Accident::Insert(at, more)),
        any::<(Index, Index)>().prop_map(|(from, to)| Accident::Twice(from, to)),
        any::<Index>().prop_map(Accident::Join),
    ];
    prop::collection::vec(accident, 0..4)
}

/// The bytes of a seed after some accidents; `others` are what it may be joined
/// with.
fn damaged(mut bytes: Vec<u8>, accidents: Vec<Accident>, others: &[Vec<u8>]) -> Vec<u8> {
    for accident in accidents {
        let place = |index: Index| index.index(bytes.len() + 1);
        match accident {
            Accident::Flip(at, bits) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Accident::Flip(..) => {}
            Accident::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
            Accident::Drop(at, count) => {
                let at = place(at);
                let end = (at + usize::from(count)).min(bytes.len());
                bytes.drain(at..end);
            }
            Accident::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more);
            }
            Accident::Twice(from, to) => {
                let (from, to) = (place(from), place(to));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
            Accident::Join(other) => bytes.extend(other.get(others)),
        }
    }
    bytes
}

/// Tries a property on the seeds of `target`, each as it is, and on what
/// accidents make of them.
fn holds(target: &str, cases: u32, check: impl Fn(&[u8])) {
    let seeds: Vec<_> = fuzz::corpus::seeds()
        .into_iter()
        .filter(|(of, _, _)| *of == target)
        .map(|(_, _, bytes)| bytes)
        .collect();
    for seed in &seeds {
        check(seed);
    }
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(seed in any::<Index>(), accidents in accidents())| {
        check(&damaged(seed.get(&seeds).clone(), accidents, &seeds));
    });
}

#[test]
fn a_malformed_envelope_is_refused_or_read_as_the_generated_code_reads_it() {
    holds("envelope", 5000, fuzz::envelope::check);
}

#[test]
fn a_malformed_batch_is_read_up_to_its_first_fault() {
    holds("batch", 3000, fuzz::batch::check);
}

#[test]
fn malformed_errors_refusals_tokens_and_names_do_no_harm() {
    holds("words", 5000, fuzz::words::check);
}

#[test]
fn a_clients_bytes_are_the_same_frames_however_they_are_split() {
    holds("client_frames", 500, fuzz::client_frames::check);
}

#[test]
fn bodies_between_clients_and_gates_are_what_is_written_again_and_no_larger_than_they_may() {
    holds("bodies", 5000, fuzz::bodies::check);
}

#[test]
fn a_load_balancers_header_is_read_to_its_end_or_refused() {
    holds("proxy", 5000, fuzz::proxy::check);
}

#[test]
fn a_websocket_clients_bytes_are_the_same_frames_however_they_are_split() {
    holds("websocket", 1000, fuzz::websocket::check);
}

#[test]
fn a_broker_forwards_what_stands_before_a_fault_and_nothing_else() {
    holds("broker", 1000, fuzz::broker::check);
}

#[test]
fn a_node_that_has_heard_nonsense_still_answers() {
    holds("node", 300, fuzz::node::check);
}

#[test]
fn the_committed_corpus_is_what_its_source_makes() {
    let mut made = BTreeMap::new();
    for (target, name, bytes) in fuzz::corpus::seeds() {
        let earlier = made.insert(format!("{target}/{name}"), bytes);
        assert!(earlier.is_none(), "{target}/{name} is there twice");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut committed = BTreeMap::new();
    for target in fs::read_dir(&folder).unwrap() {
        for seed in fs::read_dir(target.unwrap().path()).unwrap() {
            let path = seed.unwrap().path();
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            committed.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
    assert!(committed == made, "run tests/fuzz/run corpus");
}
