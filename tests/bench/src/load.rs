//! What every way to put load on a broker shares: the calls under way, and the
//! interval that is measured.

use std::{
    fmt::Display,
    process,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::tests::Histogram;
use anyhow::{Result, ensure};
use bytes::Bytes;

use crate::{
    cpu,
    job::{Job, Measured},
};

/// Counts what ends while it is open.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// There while the interval lasts.
    open: Mutex<Option<Histogram>>,
    failures: AtomicU64,
}

impl Meter {
    /// A call or a round has ended after `elapsed`.
    pub(crate) fn record(&self, elapsed: Duration) {
        if let Some(histogram) = &mut *self.lock() {
            histogram.record(elapsed);
        }
    }

    /// A call or a message has failed. The first reason is told.
    pub(crate) fn fail(&self, reason: impl Display) {
        if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
            eprintln!("the first failure: {reason}");
        }
    }

    /// Lets the load warm up, then watches it for the job's interval.
    pub(crate) async fn measure(&self, job: &Job) -> Result<Measured> {
        tokio::time::sleep(job.warm_up).await;
        let before = Cpu::now(job)?;
        let (histogram, seconds) = self.watch(job.seconds).await;
        let after = Cpu::now(job)?;

        ensure!(histogram.total() > 0, "nothing came back");
        let deliveries = (histogram.total() * job.load.deliveries()) as f64;
        let each = |before: Duration, after: Duration| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / deliveries
        };
        Ok(Measured {
            rate: deliveries / seconds,
            p50: histogram.microseconds(0.5),
            p99: histogram.microseconds(0.99),
            p999: histogram.microseconds(0.999),
            broker_cpu: each(before.broker, after.broker),
            bridge_cpu: each(before.bridge, after.bridge),
            sides_cpu: each(before.sides, after.sides),
            failures: self.failures(),
        })
    }

    /// Counts for so long, and says how many seconds it was.
    pub(crate) async fn watch(&self, time: Duration) -> (Histogram, f64) {
        let begun = Instant::now();
        *self.lock() = Some(Histogram::default());
        tokio::time::sleep(time).await;
        let histogram = self.lock().take().unwrap_or_default();
        (histogram, begun.elapsed().as_secs_f64())
    }

    /// How much has failed so far.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Histogram>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// CPU time at one moment.
struct Cpu {
    broker: Duration,
    bridge: Duration,
    sides: Duration,
}

impl Cpu {
    fn now(job: &Job) -> Result<Cpu> {
        let of = |pids: &mut dyn Iterator<Item = u32>| -> Result<Duration> {
            pids.map(cpu::of_process).sum()
        };
        Ok(Cpu {
            broker: of(&mut job.broker_pids.iter().copied())?,
            bridge: of(&mut job.bridge_pid.into_iter())?,
            sides: of(&mut [process::id()].into_iter().chain(job.responder_pid))?,
        })
    }
}

/// What a bare client has under way: a table of slots, each with the moment
/// its call or round began. A slot's number travels with the message and comes
/// back with the answer; then the slot begins anew. So looking an answer up is
/// as cheap as it can be, for every broker alike.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    begun: Vec<Instant>,
    meter: &'a Meter,
}

impl<'a> Slots<'a> {
    /// All of them begin now.
    pub(crate) fn begin(slots: usize, meter: &'a Meter) -> Self {
        Slots {
            begun: vec![Instant::now(); slots],
            meter,
        }
    }

    /// A slot's answer has come, and the next call begins.
    pub(crate) fn turn(&mut self, slot: usize) -> Result<()> {
        ensure!(slot < self.begun.len(), "an answer to nothing: slot {slot}");
        let now = Instant::now();
        self.meter.record(now - self.begun[slot]);
        self.begun[slot] = now;
        Ok(())
    }
}

/// Who of a fan-out's receivers has which round.
#[derive(Debug)]
pub(crate) struct Arrivals {
    receivers: u64,
    rounds: Vec<AtomicU64>,
}

impl Arrivals {
    pub(crate) fn new(receivers: usize, outstanding: usize) -> Self {
        Arrivals {
            receivers: receivers as u64,
            rounds: (0..outstanding).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A message of the round in `slot` has arrived. Says whether it was the
    /// last one, so that the source has to hear of it; until it has, the slot
    /// is not used again.
    pub(crate) fn arrived(&self, slot: usize) -> bool {
        let Some(round) = self.rounds.get(slot) else {
            return false;
        };
        let last = round.fetch_add(1, Ordering::AcqRel) + 1 == self.receivers;
        if last {
            round.store(0, Ordering::Release);
        }
        last
    }
}

/// The shortest body of a fan-out: a slot's number.
const SLOT_BYTES: usize = 8;

/// A body of `bytes` that carries a slot's number.
pub(crate) fn slot_body(slot: usize, bytes: usize) -> Bytes {
    let mut body = vec![b'x'; bytes.max(SLOT_BYTES)];
    body[..SLOT_BYTES].copy_from_slice(&(slot as u64).to_le_bytes());
    body.into()
}

/// The slot's number that a body carries.
pub(crate) fn slot_of(body: &[u8]) -> Result<usize> {
    match body.first_chunk::<SLOT_BYTES>() {
        Some(number) => Ok(u64::from_le_bytes(*number) as usize),
        None => anyhow::bail!("a body of {} bytes has no slot in it", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_over_when_everybody_has_it() {
        let arrivals = Arrivals::new(3, 2);
        let seen: Vec<_> = [0, 1, 0, 0, 1, 1, 0, 7]
            .into_iter()
            .map(|slot| arrivals.arrived(slot))
            .collect();
        assert_eq!(seen, [false, false, false, true, false, true, false, false]);
    }

    #[test]
    fn a_slot_travels_in_a_body() {
        assert_eq!(slot_of(&slot_body(63, 64)).unwrap(), 63);
        assert_eq!(slot_body(1, 64).len(), 64);
        assert!(slot_of(b"short").is_err());
    }

    #[test]
    fn only_what_ends_in_the_interval_counts() {
        let meter = Meter::default();
        let mut slots = Slots::begin(1, &meter);
        slots.turn(0).unwrap();
        *meter.lock() = Some(Histogram::default());
        slots.turn(0).unwrap();
        assert!(slots.turn(1).is_err());
        assert_eq!(meter.lock().as_ref().unwrap().total(), 1);
    }
}
