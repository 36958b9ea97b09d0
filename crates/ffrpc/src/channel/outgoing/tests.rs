//! The sending half against a recount of everything it counts.

use proptest::prelude::*;
use protocol::NodeId;

use super::*;

const LIMIT: usize = 4000;
const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
enum Step {
    Keep(usize),
    Send(usize),
    Acknowledge(u64),
    NoRoom(u64),
    Rewind,
    Cancel(u64),
    Tick(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..900_usize).prop_map(Step::Keep),
        5 => (1..6_usize).prop_map(Step::Send),
        4 => (0..80_u64).prop_map(Step::Acknowledge),
        2 => (0..80_u64).prop_map(Step::NoRoom),
        1 => Just(Step::Rewind),
        2 => (0..80_u64).prop_map(Step::Cancel),
        4 => (1..300_u32).prop_map(Step::Tick),
    ];
    prop::collection::vec(step, 0..200)
}

fn envelope(outgoing: &Outgoing, body: usize) -> Envelope {
    Envelope {
        sequence: outgoing.next_sequence(),
        call_id: 7,
        body: vec![0; body].into(),
        ..Envelope::new(NodeId::new(1, 1), NodeId::new(1, 2), EnvelopeKind::Request)
    }
}

/// Keeps a message as whoever sends does.
fn keep(outgoing: &mut Outgoing, body: usize) -> bool {
    let envelope = envelope(outgoing, body);
    let bytes = envelope.element_bytes();
    let admitted = outgoing.admits(bytes);
    if admitted {
        let is_sent = outgoing.is_clear();
        outgoing.keep(envelope, bytes, is_sent);
    }
    admitted
}

fn send(outgoing: &mut Outgoing, count: usize) -> Vec<u64> {
    let mut sent = Vec::new();
    while sent.len() < count
        && let Some(envelope) = outgoing.next()
    {
        sent.push(envelope.sequence);
        outgoing.advance();
    }
    sent
}

fn recount(outgoing: &Outgoing) {
    let bytes = |count: usize| -> usize {
        let counted = outgoing.kept.iter().take(count);
        counted.map(|kept| kept.bytes).sum()
    };
    assert_eq!(outgoing.kept_bytes, bytes(usize::MAX));
    assert_eq!(outgoing.sent_bytes, bytes(outgoing.sent));
    let refusable = outgoing.kept.iter().filter(|kept| kept.refusable);
    let refusable: usize = refusable.map(|kept| kept.bytes).sum();
    assert_eq!(outgoing.refusable_bytes, refusable);
    assert!(outgoing.sent <= outgoing.kept.len());
    let numbers = outgoing.kept.iter().map(|kept| kept.envelope.sequence);
    assert!(numbers.eq(outgoing.first..outgoing.next_sequence()));
    assert!(outgoing.kept_bytes <= LIMIT || outgoing.kept.len() == 1);
}

proptest! {
    #[test]
    fn what_is_counted_is_what_is_there(steps in steps()) {
        let mut outgoing = Outgoing::new(LIMIT);
        let mut now = Instant::now();
        for step in steps {
            match step {
                Step::Keep(body) => drop(keep(&mut outgoing, body)),
                Step::Send(count) => {
                    let before = outgoing.sent;
                    let sent = send(&mut outgoing, count);
                    prop_assert_eq!(outgoing.sent, before + sent.len());
                }
                Step::Acknowledge(sequence) => {
                    let given = outgoing.first..outgoing.next_sequence();
                    let news = outgoing.acknowledged(sequence);
                    prop_assert_eq!(news, given.contains(&sequence));
                    prop_assert_eq!(outgoing.first, if news { sequence + 1 } else { given.start });
                }
                Step::NoRoom(sequence) => {
                    let sent = outgoing.first..outgoing.first + outgoing.sent as u64;
                    outgoing.no_room(sequence, now);
                    if sent.contains(&sequence) {
                        prop_assert_eq!(outgoing.first + outgoing.sent as u64, sequence);
                        prop_assert!(outgoing.next().is_none(), "no pause");
                    }
                }
                Step::Rewind => {
                    outgoing.rewind();
                    let first = outgoing.first;
                    let next = outgoing.next().map(|envelope| envelope.sequence);
                    prop_assert!(next.is_none_or(|next| next == first));
                    prop_assert_eq!(next.is_none(), outgoing.is_empty());
                }
                Step::Cancel(sequence) => outgoing.cancel(sequence),
                Step::Tick(ms) => {
                    now += ms * MS;
                    outgoing.tick(now);
                }
            }
            recount(&outgoing);
        }
        // Whatever has happened, a receiver that acknowledges what it gets has
        // everything soon, and the pair runs at full speed again.
        let end = now + 2 * LONGEST_PAUSE + LONGEST_RESEND;
        while !outgoing.is_empty() {
            prop_assert!(now < end, "{:?}", outgoing);
            now += 10 * MS;
            outgoing.tick(now);
            if let Some(last) = send(&mut outgoing, usize::MAX).last() {
                outgoing.acknowledged(*last);
            }
        }
        for _ in 0..20 {
            now += LONGEST_PAUSE;
            outgoing.tick(now);
            keep(&mut outgoing, 10);
            send(&mut outgoing, 1);
            outgoing.acknowledged(outgoing.next_sequence() - 1);
        }
        prop_assert!(outgoing.is_clear());
        prop_assert_eq!(outgoing.window, usize::MAX);
    }
}

#[test]
fn what_is_not_acknowledged_goes_again_and_ever_more_seldom() {
    let mut outgoing = Outgoing::new(LIMIT);
    let start = Instant::now();
    keep(&mut outgoing, 10);
    let mut again = Vec::new();
    for ms in 0..8000 {
        if let Some(failures) = outgoing.tick(start + ms * MS) {
            assert_eq!(send(&mut outgoing, 9), [1]);
            again.push((failures, ms));
        }
    }
    let waits: Vec<_> = again.windows(2).map(|two| two[1].1 - two[0].1).collect();
    assert_eq!(again[0], (1, 200));
    assert_eq!(waits, [401, 801, 1601, 2001, 2001]);
}

#[test]
fn time_counts_against_a_link_that_takes_nothing() {
    let mut outgoing = Outgoing::new(LIMIT);
    let start = Instant::now();
    keep(&mut outgoing, 10);
    outgoing.rewind();
    outgoing.tick(start);
    assert_eq!(outgoing.tick(start + RESEND), Some(1));
    // Nobody sends it.
    outgoing.tick(start + 2 * RESEND);
    assert_eq!(outgoing.tick(start + 4 * RESEND), Some(2));
}

#[test]
fn a_pair_without_room_comes_back_ever_more_seldom_and_carefully() {
    let mut outgoing = Outgoing::new(1 << 20);
    let mut now = Instant::now();
    for _ in 0..300 {
        keep(&mut outgoing, 1000);
    }
    let mut pauses = Vec::new();
    for _ in 0..8 {
        outgoing.no_room(1, now);
        let begin = now;
        while outgoing.next().is_none() {
            now += MS;
            outgoing.tick(now);
        }
        pauses.push((now - begin).as_millis());
        let sent = send(&mut outgoing, usize::MAX);
        assert!(sent[0] == 1 && (60..70).contains(&sent.len()), "{sent:?}");
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 200, 200]);
    // The first progress forgives everything.
    outgoing.acknowledged(30);
    outgoing.no_room(31, now);
    outgoing.tick(now + PAUSE);
    assert!(outgoing.next().is_some());
}

#[test]
fn a_refusal_of_what_was_gone_back_to_is_no_news() {
    let mut outgoing = Outgoing::new(LIMIT);
    let now = Instant::now();
    for _ in 0..5 {
        keep(&mut outgoing, 10);
    }
    outgoing.no_room(2, now);
    let pause = outgoing.paused_until;
    outgoing.no_room(4, now + MS);
    outgoing.no_room(9, now + MS);
    assert_eq!(outgoing.paused_until, pause);
    assert_eq!(outgoing.sent, 1);
}

#[test]
fn what_is_taken_back_keeps_its_number_and_nothing_else() {
    let mut outgoing = Outgoing::new(LIMIT);
    keep(&mut outgoing, 500);
    outgoing.cancel(1);
    outgoing.cancel(1);
    recount(&outgoing);
    outgoing.rewind();
    let envelope = outgoing.next().unwrap();
    assert_eq!((envelope.kind, envelope.sequence), (EnvelopeKind::Ack, 1));
    assert!(envelope.body.is_empty() && envelope.call_id == 0);
}

#[test]
fn one_that_is_larger_than_the_bound_goes_alone() {
    let mut outgoing = Outgoing::new(LIMIT);
    assert!(keep(&mut outgoing, LIMIT + 1));
    assert!(!keep(&mut outgoing, 1));
    outgoing.acknowledged(1);
    assert!(keep(&mut outgoing, 1));
    assert!(!keep(&mut outgoing, LIMIT + 1));
}

#[test]
fn what_cannot_be_refused_takes_no_room_from_what_can() {
    let mut outgoing = Outgoing::new(LIMIT);
    let control = Envelope {
        kind: EnvelopeKind::Control,
        ..envelope(&outgoing, 2 * LIMIT)
    };
    let bytes = control.element_bytes();
    outgoing.keep(control, bytes, true);
    assert!(keep(&mut outgoing, LIMIT / 2));
    assert!(keep(&mut outgoing, LIMIT / 3));
    assert!(!keep(&mut outgoing, LIMIT / 3));
    assert_eq!(outgoing.excess(), 2);
}
