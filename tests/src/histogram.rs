//! Latencies, counted in classes that are narrow enough to read percentiles off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Counts durations in classes whose width is at most a 64th of their value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Classes for each power of two, as a power of two.
const PRECISION: u32 = 6;
const CLASSES: usize = (64 - PRECISION as usize + 1) << PRECISION;

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: vec![0; CLASSES],
            total: 0,
        }
    }
}

impl Histogram {
    pub fn record(&mut self, duration: Duration) {
        self.counts[class(duration.as_nanos() as u64)] += 1;
        self.total += 1;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes in what another has counted.
    pub fn add(&mut self, other: &Histogram) {
        for (own, count) in self.counts.iter_mut().zip(&other.counts) {
            *own += count;
        }
        self.total += other.total;
    }

    /// The microseconds that a share of `quantile` took at most, to a 64th; 0
    /// if nothing was counted.
    pub fn microseconds(&self, quantile: f64) -> f64 {
        let rank = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut passed = 0;
        for (class, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= rank {
                return start(class) as f64 / 1000.0;
            }
        }
        0.0
    }
}
/// Exact below 64 ns, then 64 classes for each doubling.
fn class(nanoseconds: u64) -> usize {
    let exponent = nanoseconds.checked_ilog2().unwrap_or(0);
    if exponent < PRECISION {
        return nanoseconds as usize;
    }
    let shift = exponent - PRECISION;
    let mantissa = (nanoseconds >> shift) as usize & ((1 << PRECISION) - 1);
    ((shift as usize + 1) << PRECISION) + mantissa
}

/// The lowest value of a class.
fn start(class: usize) -> u64 {
    match class >> PRECISION {
        0 => class as u64,
        doubling => {
            let mantissa = (class & ((1 << PRECISION) - 1)) as u64;
            (mantissa + (1 << PRECISION)) << (doubling - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_a_64th_of_its_class() {
        let mut value = 1_u64;
        while value < u64::MAX / 3 {
            for value in [value - 1, value, value + value / 3] {
                let start = start(class(value));
                assert!(start <= value && value - start <= value / 64, "{value}");
            }
            value = value * 2 + 1;
        }
        assert!(class(u64::MAX) < CLASSES);
    }

    #[test]
    fn percentiles_are_read_off() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.microseconds(0.5), 0.0);
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        for quantile in [0.5, 0.99, 0.999] {
            let read = histogram.microseconds(quantile);
            let exact = 1000.0 * quantile;
            assert!((read - exact).abs() <= exact / 60.0, "{quantile}: {read}");
        }
    }
}
