//! The brokers that did not get through to one node.

use std::time::Duration;

use tokio::time::Instant;

use super::Broker;

/// The brokers that a pair passes over, and for how long.
///
/// One that fails again soon after it was given another chance is passed over
/// for twice as long: between a broker that never gets through and one that does
/// a pair would otherwise go to and fro for ever, each time with everything that
/// is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct AvoidedBrokers(Vec<Avoided>);

/// A broker that did not get through.
#[derive(Clone, Copy, Debug)]
struct Avoided {
    broker: Broker,
    fault: Fault,
    /// When it last failed.
    since: Instant,
    span: Duration,
    /// It has its next chance now; whether it has used it will be seen.
    pardoned: bool,
}

/// In what way a broker did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It says that it has no link to the destination: it is there in a moment,
    /// or gone from the directory in a few seconds.
    NoRoute,
    /// Nothing came back. That may be the destination's fault, and such a
    /// broker is better than none.
    Silent,
}

/// The longest time for which a broker is passed over.
const LONGEST: Duration = Duration::from_secs(20);

impl Fault {
    fn span(self) -> Duration {
        match self {
            Fault::NoRoute => Duration::from_millis(200),
            Fault::Silent => Duration::from_secs(5),
        }
    }
}

impl AvoidedBrokers {
    /// This broker has just failed.
    pub(super) fn add(&mut self, broker: Broker, fault: Fault, now: Instant) {
        let known = self.0.iter_mut().find(|avoided| avoided.broker == broker);
        let Some(avoided) = known else {
            return self.0.push(Avoided {
                broker,
                fault,
                since: now,
                span: fault.span(),
                pardoned: false,
            });
        };
        // Several refusals of one bout are one failure.
        if avoided.fault != fault {
            avoided.span = fault.span();
        } else if avoided.pardoned {
            avoided.span = avoided.span.saturating_mul(2).min(LONGEST);
        }
        avoided.fault = fault;
        avoided.since = now;
        avoided.pardoned = false;
    }

    /// Looks at the time. While nothing better is left (`at_a_loss`), brokers
    /// without a route are asked again soon, however often they have failed.
    pub(super) fn tick(&mut self, at_a_loss: bool, now: Instant) {
        for avoided in &mut self.0 {
            let span = match avoided.fault {
                Fault::NoRoute if at_a_loss => avoided.fault.span(),
                _ => avoided.span,
            };
            avoided.pardoned |= now >= avoided.since + span;
        }
        self.0
            .retain(|avoided| now < avoided.since + 2 * avoided.span);
    }

    /// Those without a route have their next chance now.
    pub(super) fn pardon_refusing(&mut self) {
        let refusing = self.0.iter_mut().filter(|one| one.fault == Fault::NoRoute);
        refusing.for_each(|avoided| avoided.pardoned = true);
    }

    /// Whether this broker is passed over.
    pub(super) fn contains(&self, broker: Broker) -> bool {
        let mut avoided = self.0.iter();
        avoided.any(|avoided| avoided.broker == broker && !avoided.pardoned)
    }

    /// The broker to try when all of `routes` are passed over: of the silent
    /// ones the one that was tried longest ago, so that each has its turn.
    pub(super) fn least_hopeless(&self, routes: impl Fn(Broker) -> bool) -> Option<Broker> {
        let silent = self.0.iter().filter(|avoided| {
            avoided.fault == Fault::Silent && !avoided.pardoned && routes(avoided.broker)
        });
        let longest_ago = silent.min_by_key(|avoided| (avoided.since, avoided.broker));
        longest_ago.map(|avoided| avoided.broker)
    }

    /// Whether this broker is passed over because it says so itself.
    pub(super) fn is_refusing(&self, broker: Broker) -> bool {
        self.0.iter().any(|avoided| {
            avoided.broker == broker && avoided.fault == Fault::NoRoute && !avoided.pardoned
        })
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
