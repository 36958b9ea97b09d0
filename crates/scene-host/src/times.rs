//! How long things may take, as it is now: it can be changed while the scene runs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use topology::Limits;

/// Each is read when something begins; what has begun keeps its time.
#[derive(Debug)]
pub(crate) struct Times {
    call_timeout: AtomicU64,
    handler_timeout: AtomicU64,
    handler_warn: AtomicU64,
}

impl Times {
    pub(crate) fn new(limits: &Limits) -> Self {
        Times {
            call_timeout: AtomicU64::new(nanos(limits.call_timeout)),
            handler_timeout: AtomicU64::new(nanos(limits.handler_timeout)),
            handler_warn: AtomicU64::new(nanos(limits.handler_warn)),
        }
    }

    pub(crate) fn set(&self, limits: &Limits) {
        let set = |to: &AtomicU64, time| to.store(nanos(time), Ordering::Relaxed);
        set(&self.call_timeout, limits.call_timeout);
        set(&self.handler_timeout, limits.handler_timeout);
        set(&self.handler_warn, limits.handler_warn);
    }

    /// Of a call without an answer.
    pub(crate) fn call_timeout(&self) -> Duration {
        read(&self.call_timeout)
    }

    /// Of an async handler.
    pub(crate) fn handler_timeout(&self) -> Duration {
        read(&self.handler_timeout)
    }

    /// Of a handler that blocks the scene, before it is named.
    pub(crate) fn handler_warn(&self) -> Duration {
        read(&self.handler_warn)
    }
}

fn read(time: &AtomicU64) -> Duration {
    Duration::from_nanos(time.load(Ordering::Relaxed))
}

/// Up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
