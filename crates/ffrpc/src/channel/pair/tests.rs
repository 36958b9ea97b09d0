//! Which way a pair takes when one does not get through.

use std::time::Duration;

use super::*;

const OWN: NodeId = NodeId::new(1, 1);
const OTHER: NodeId = NodeId::new(1, 2);
const SLAVES: [NodeId; 2] = [NodeId::new(1, 3), NodeId::new(1, 4)];
const TICK: Duration = Duration::from_millis(10);

fn routes(slaves: &[NodeId]) -> Routes {
    Routes {
        slaves: slaves.to_vec(),
        master: true,
    }
}

fn pair(routes: &Routes) -> Pair {
    let mut pair = Pair::new(OWN, OTHER, 1 << 20);
    pair.reroute(routes);
    pair
}

fn keep(pair: &mut Pair) {
    let envelope = Envelope {
        sequence: pair.outgoing.next_sequence(),
        ..Envelope::new(OTHER, OWN, EnvelopeKind::Notify)
    };
    let is_sent = pair.outgoing.is_clear();
    pair.outgoing.keep(envelope, 30, is_sent);
}

fn refusal(sequence: u64, reason: RefusalReason) -> Refusal {
    Refusal {
        destination: OTHER.as_u64(),
        sequence,
        reason: reason.into(),
    }
}

/// Lets time pass, and sends what is to be sent: the routes that it goes by,
/// and when.
fn pass(
    pair: &mut Pair,
    routes: &Routes,
    now: &mut Instant,
    time: Duration,
) -> Vec<(u128, Broker)> {
    let begin = *now;
    let mut used = Vec::new();
    while *now < begin + time {
        *now += TICK;
        let due = pair.tick(routes, *now);
        while due.transmit && pair.outgoing.next().is_some() {
            pair.outgoing.advance();
        }
        if due.rerouted {
            used.extend(
                pair.route()
                    .map(|route| ((*now - begin).as_millis(), route)),
            );
        }
    }
    used
}

#[test]
fn what_was_on_its_way_goes_again_when_its_link_ends() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    keep(&mut pair);
    assert!(pair.outgoing.next().is_none());
    let route = pair.route().unwrap();
    // The link of another broker is nothing to it.
    pair.link_ended(Broker::Master);
    assert!(!pair.reroute(&both));
    // It is open again at once.
    pair.link_ended(route);
    assert!(pair.reroute(&both));
    assert!(pair.outgoing.next().is_some());
    assert!(!pair.reroute(&both));
}

#[test]
fn a_pair_whose_last_link_ends_lets_go_of_it() {
    let master = routes(&[]);
    let mut pair = pair(&master);
    pair.link_ended(Broker::Master);
    assert!(pair.reroute(&Routes::default()));
    assert_eq!(pair.route(), None);
}

#[test]
fn a_late_refusal_does_no_harm() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let now = Instant::now();
    let first = pair.route().unwrap();
    keep(&mut pair);
    assert!(pair.refused(first, &refusal(1, RefusalReason::NoRoute), &both, now));
    let second = pair.route().unwrap();
    assert_ne!(second, first);
    pair.outgoing.next().unwrap();
    pair.outgoing.advance();
    for reason in [RefusalReason::NoRoute, RefusalReason::NoRoom] {
        assert!(!pair.refused(first, &refusal(1, reason), &both, now));
        assert_eq!(pair.route(), Some(second));
        assert!(pair.outgoing.is_clear(), "gone back for {reason:?}");
    }
}

#[test]
fn a_broker_that_never_has_a_route_is_asked_ever_more_seldom() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let mut now = Instant::now();
    let first = pair.route().unwrap();
    let mut asked = 0;
    for _ in 0..6000 {
        if pair.route() == Some(first) {
            asked += 1;
            pair.refused(first, &refusal(1, RefusalReason::NoRoute), &both, now);
            // What followed it was refused too.
            pair.refused(first, &refusal(3, RefusalReason::NoRoute), &both, now);
        }
        pass(&mut pair, &both, &mut now, TICK);
    }
    assert!((6..=12).contains(&asked), "{asked} times in a minute");
}

#[test]
fn the_only_broker_is_asked_again_soon_however_often_it_had_no_route() {
    let master = routes(&[]);
    let mut pair = pair(&master);
    let mut now = Instant::now();
    for _ in 0..20 {
        pair.refused(
            Broker::Master,
            &refusal(1, RefusalReason::NoRoute),
            &master,
            now,
        );
        assert_eq!(pair.route(), None);
        let used = pass(&mut pair, &master, &mut now, Duration::from_millis(210));
        assert_eq!(used, [(200, Broker::Master)]);
    }
}

#[test]
fn silence_leads_to_another_slave_soon_and_to_the_master_late() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let mut now = Instant::now();
    keep(&mut pair);
    let first = pair.route().unwrap();
    let used = pass(&mut pair, &both, &mut now, Duration::from_secs(4));
    let [(soon, second), (later, third), (late, last)] = used[..] else {
        panic!("{used:?}");
    };
    assert!(second != first && second != Broker::Master);
    assert!((600..650).contains(&soon), "{soon} ms");
    // Perhaps it was not to blame.
    assert!(third == first && later < 1500, "{later} ms");
    assert_eq!(last, Broker::Master);
    assert!((3000..3100).contains(&late), "{late} ms");
}

#[test]
fn a_slave_that_was_silent_is_better_than_the_master() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let mut now = Instant::now();
    keep(&mut pair);
    let first = pair.route().unwrap();
    let used = pass(&mut pair, &both, &mut now, Duration::from_millis(700));
    pair.outgoing.acknowledged(1);
    let one = Routes {
        slaves: SLAVES
            .into_iter()
            .filter(|slave| Broker::Slave(*slave) == first)
            .collect(),
        master: true,
    };
    pair.link_ended(used[0].1);
    assert!(pair.reroute(&one));
    assert_eq!(pair.route(), Some(first));
}

#[test]
fn silent_brokers_take_turns() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let mut now = Instant::now();
    keep(&mut pair);
    let used = pass(&mut pair, &both, &mut now, Duration::from_secs(60));
    for broker in SLAVES
        .map(Broker::Slave)
        .into_iter()
        .chain([Broker::Master])
    {
        let times: Vec<_> = used.iter().filter(|(_, used)| *used == broker).collect();
        assert!(times.len() >= 4, "{broker:?} at {times:?}");
    }
}

#[test]
fn a_source_that_does_not_hear_is_told_with_a_number() {
    let both = routes(&SLAVES);
    let mut pair = pair(&both);
    let mut now = Instant::now();
    pair.incoming.arrived(1, 10);
    pair.incoming.told();
    pair.incoming.arrived(1, 10);
    pair.incoming.told();
    assert!(pair.is_active());
    let first = pair.route();
    let due = pair.tick(&both, now);
    assert!(due.transmit);
    let envelope = pair.outgoing.next().unwrap();
    assert_eq!((envelope.kind, envelope.sequence), (EnvelopeKind::Ack, 1));
    // It is not heard either, and then it goes another way.
    pass(&mut pair, &both, &mut now, Duration::from_secs(1));
    assert_ne!(pair.route(), first);
    assert_eq!(pair.outgoing.next_sequence(), 2);
}
