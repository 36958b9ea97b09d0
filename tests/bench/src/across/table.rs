//! The table, in Markdown.

use crate::job::Measured;

/// How much more than inside a group a call across groups may take, in CPU and in time:
/// it crosses two brokers and a bridge instead of one broker.
const GOAL: f64 = 2.2;

/// The table's head.
pub(super) fn head() {
    println!(
        "| in flight | body | calls | calls/s | p50 µs | p99 µs | p99.9 µs | brokers' CPU µs | bridge's CPU µs | sides' CPU µs | all CPU µs |"
    );
    println!("|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
}

/// A row for each, and one for their ratio; bold is what has a goal.
pub(super) fn rows(in_flight: usize, body: usize, inside: &Measured, across: &Measured) {
    for (name, row) in [("inside", inside), ("across", across)] {
        println!(
            "| {in_flight} | {body} | {name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
            row.rate,
            row.p50,
            row.p99,
            row.p999,
            row.broker_cpu,
            row.bridge_cpu,
            row.sides_cpu,
            whole(row),
        );
        if row.failures > 0 {
            eprintln!(
                "{in_flight} in flight, {body} B, {name}: {} failed",
                row.failures
            );
        }
    }
    println!(
        "| {in_flight} | {body} | **across / inside**, goal {GOAL} | {:.2} | **{:.2}** | **{:.2}** | {:.2} | {:.2} | | {:.2} | **{:.2}** |",
        across.rate / inside.rate,
        across.p50 / inside.p50,
        across.p99 / inside.p99,
        across.p999 / inside.p999,
        across.broker_cpu / inside.broker_cpu,
        across.sides_cpu / inside.sides_cpu,
        whole(across) / whole(inside),
    );
}

/// The CPU time of all processes together for each call.
fn whole(row: &Measured) -> f64 {
    row.broker_cpu + row.bridge_cpu + row.sides_cpu
}
