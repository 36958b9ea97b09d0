//! What was seen of a load, and its row.

use ::tests::Histogram;

use super::usage::Each;
use crate::report::middle;

/// What was seen in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Messages, or whatever the load counts, a second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// CPU microseconds for each message.
    pub(crate) cpu: Each,
}

impl Measured {
    pub(crate) fn of(latencies: &Histogram, messages: u64, seconds: f64, cpu: Each) -> Self {
        Measured {
            rate: messages as f64 / seconds,
            p50: latencies.microseconds(0.5),
            p99: latencies.microseconds(0.99),
            max: latencies.microseconds(1.0),
            cpu,
        }
    }

    /// Each figure's median over the rounds.
    pub(crate) fn median(rounds: &[Measured]) -> Measured {
        let of = |figure: fn(&Measured) -> f64| middle(rounds, figure);
        Measured {
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            max: of(|round| round.max),
            cpu: Each {
                gate: of(|round| round.cpu.gate),
                broker: of(|round| round.cpu.broker),
                scene: of(|round| round.cpu.scene),
                load: of(|round| round.cpu.load),
            },
        }
    }
}

/// The table's head.
pub(crate) fn head() {
    println!(
        "| load | over | subject | messages/s | p50 µs | p99 µs | max µs | servers' CPU µs | gate | broker | scene | load's CPU µs |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
}

/// A row of it.
pub(crate) fn row(load: &str, over: &str, subject: &str, measured: &Measured) {
    let Measured {
        rate,
        p50,
        p99,
        max,
        cpu,
    } = measured;
    println!(
        "| {load} | {over} | {subject} | {rate:.0} | {p50:.0} | {p99:.0} | {max:.0} | **{:.2}** | {:.2} | {:.2} | {:.2} | {:.2} |",
        cpu.servers(),
        cpu.gate,
        cpu.broker,
        cpu.scene,
        cpu.load
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_own_median() {
        let round = |rate, gate| Measured {
            rate,
            cpu: Each {
                gate,
                ..Each::default()
            },
            ..Measured::default()
        };
        let median = Measured::median(&[round(1.0, 30.0), round(2.0, 10.0), round(3.0, 20.0)]);
        assert_eq!((median.rate, median.cpu.servers()), (2.0, 20.0));
    }
}
