//! The table, in Markdown, a row as soon as it is known.

use crate::{job::Measured, peer::Peer, shapes::Shape};

/// The table's head.
pub(crate) fn head() {
    println!(
        "| load | body | peer | calls or deliveries/s | p50 µs | p99 µs | p99.9 µs | broker CPU µs | sides' CPU µs |"
    );
    println!("|---|--:|---|--:|--:|--:|--:|--:|--:|");
}

/// A row for each peer, and one for each comparison with the first peer.
pub(crate) fn rows(shape: Shape, body: usize, measured: &[(Peer, Measured)]) {
    let Some(((first, ours), others)) = measured.split_first() else {
        return;
    };
    for (peer, row) in measured {
        let Measured {
            rate,
            p50,
            p99,
            p999,
            broker_cpu,
            bridge_cpu: _,
            sides_cpu,
            failures,
        } = row;
        println!(
            "| {shape} | {body} | {} | {rate:.0} | {p50:.0} | {p99:.0} | {p999:.0} | {broker_cpu:.2} | {sides_cpu:.2} |",
            peer.name()
        );
        if *failures > 0 {
            eprintln!("{shape}, {body} B, {}: {failures} failed", peer.name());
        }
    }
    // What is compared with the outsider: every client of our own broker.
    let Some((outsider, theirs)) = measured.iter().find(|(peer, _)| *peer == Peer::Nats) else {
        return;
    };
    let own = others.iter().filter(|(peer, _)| peer != outsider);
    for (peer, row) in std::iter::once(&(*first, *ours)).chain(own) {
        println!(
            "| {shape} | {body} | **{} / {}** | **{:.2}** | {:.2} | {:.2} | {:.2} | **{:.2}** | {:.2} |",
            peer.name(),
            outsider.name(),
            row.rate / theirs.rate,
            row.p50 / theirs.p50,
            row.p99 / theirs.p99,
            row.p999 / theirs.p999,
            row.broker_cpu / theirs.broker_cpu,
            row.sides_cpu / theirs.sides_cpu,
        );
    }
}

/// Each figure's median over the rounds, and the failures of all of them.
pub(crate) fn median(rounds: &[Measured]) -> Measured {
    Measured {
        rate: middle(rounds, |round| round.rate),
        p50: middle(rounds, |round| round.p50),
        p99: middle(rounds, |round| round.p99),
        p999: middle(rounds, |round| round.p999),
        broker_cpu: middle(rounds, |round| round.broker_cpu),
        bridge_cpu: middle(rounds, |round| round.bridge_cpu),
        sides_cpu: middle(rounds, |round| round.sides_cpu),
        failures: rounds.iter().map(|round| round.failures).sum(),
    }
}

/// The median of a figure over the rounds; 0 where there are none.
pub(crate) fn middle<R>(rounds: &[R], figure: impl Fn(&R) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        length if length % 2 == 1 => figures[length / 2],
        length => (figures[length / 2 - 1] + figures[length / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(rate: f64, failures: u64) -> Measured {
        Measured {
            rate,
            p50: 1.0,
            p99: 2.0,
            p999: 3.0,
            broker_cpu: 4.0,
            bridge_cpu: 0.0,
            sides_cpu: 5.0,
            failures,
        }
    }

    #[test]
    fn one_bad_round_does_not_move_the_median() {
        let rounds = [round(10.0, 0), round(1.0, 3), round(11.0, 0)];
        let median = median(&rounds);
        assert_eq!((median.rate, median.failures), (10.0, 3));
    }

    #[test]
    fn an_even_number_of_rounds_has_its_median_between_them() {
        assert_eq!(median(&[round(10.0, 0), round(12.0, 0)]).rate, 11.0);
    }
}
