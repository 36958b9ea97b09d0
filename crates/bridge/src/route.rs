//! The calls from one group to another.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use daemon::LogPace;
use protocol::CallError;
use tokio::time::Instant;
use tracing::warn;

use crate::{
    metrics::{self, RouteMetrics},
    refusal::Refusal,
};

/// How many calls may be under way from one group to another: a group that does not
/// answer takes no room from the calls to the rest.
pub(crate) const MAX_CALLS: usize = 16_384;

/// How many calls are under way from one group to another, and how they end.
#[derive(Default)]
pub(crate) struct Route {
    under_way: AtomicUsize,
    /// Made for the first call: most of the many pairs of groups have none.
    metrics: OnceLock<Box<RouteMetrics>>,
    pace: LogPace,
}

/// Whose route it is.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
}

impl Route {
    /// Whether there is room for another call.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) < MAX_CALLS
    }

    /// A call is passed on.
    pub(crate) fn begun(&self, ends: Ends<'_>) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.metrics(ends).under_way.increment(1);
    }

    /// A call that was passed on has ended.
    pub(crate) fn ended<T>(&self, ends: Ends<'_>, outcome: &Result<T, CallError>) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let metrics = self.metrics(ends);
        metrics.under_way.decrement(1);
        metrics.ended(outcome);
    }

    /// A call was not passed on, and ends with `error`. The log has one line a second
    /// of them at most.
    pub(crate) fn refused(&self, ends: Ends<'_>, refusal: Refusal, error: &CallError) {
        self.metrics(ends).ended::<()>(&Err(error.clone()));
        metrics::refused(ends.from, ends.to, refusal);
        if let Some(withheld) = self.pace.turn(Instant::now()) {
            let Ends { from, to } = ends;
            let (reason, error) = (refusal.reason(), &error.message);
            warn!(from, to, reason, %error, withheld, "call between groups refused");
        }
    }

    fn metrics(&self, ends: Ends<'_>) -> &RouteMetrics {
        let new = || Box::new(RouteMetrics::new(ends.from, ends.to));
        self.metrics.get_or_init(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_full_until_one_of_its_calls_has_ended() {
        let (route, ends) = (
            Route::default(),
            Ends {
                from: "GroupA",
                to: "GroupB",
            },
        );
        for _ in 0..MAX_CALLS {
            assert!(route.has_room());
            route.begun(ends);
        }
        assert!(!route.has_room());
        route.ended(ends, &Ok(()));
        assert!(route.has_room());
    }
}
