//! Values that can be others while the gate runs. Each is read on its own: two that
//! are changed together may be seen one after the other.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

/// A number of bytes or of pieces.
#[derive(Debug)]
pub(crate) struct Amount(AtomicUsize);

/// A time.
#[derive(Debug)]
pub(crate) struct Span(AtomicU64);

impl Amount {
    pub(crate) fn new(amount: usize) -> Self {
        Amount(AtomicUsize::new(amount))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, amount: usize) {
        self.0.store(amount, Ordering::Relaxed);
    }
}

impl Span {
    pub(crate) fn new(span: Duration) -> Self {
        Span(AtomicU64::new(nanos(span)))
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, span: Duration) {
        self.0.store(nanos(span), Ordering::Relaxed);
    }
}

/// Up to 584 years.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
