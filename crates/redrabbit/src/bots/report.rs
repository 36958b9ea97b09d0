//! What came of it: for people, and for programs.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{progress::milliseconds, tally::Tally};

/// What came of a run. Its fields are the keys of the JSON.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Whether nothing was lost, repeated or out of order, and every bot was there
    /// to the end.
    good: bool,
    bots: u64,
    /// Where they connected.
    gates: Vec<String>,
    /// How long they sent, the logins included.
    seconds: f64,
    sent: u64,
    answered: u64,
    /// Not answered, though the connection lived.
    lost: u64,
    /// Those of the lost that nothing has passed over: the wait at the end was over.
    unanswered: u64,
    repeated: u64,
    out_of_order: u64,
    /// Out when their connection ended: nobody can say what became of them.
    in_hand: u64,
    /// Answers to those, after all.
    belated: u64,
    /// Answers to what was never asked, or not as it was sent.
    altered: u64,
    /// Messages under other numbers.
    others: u64,
    logins: u64,
    reconnects: u64,
    /// Bots that were not connected at the end.
    absent: u64,
    latency_ms: Percentiles,
    login_ms: Percentiles,
    /// How connections ended before they should, and attempts failed.
    ends: BTreeMap<String, u64>,
}

/// Milliseconds. All are 0 where nothing was measured.
#[derive(Clone, Debug, Serialize)]
struct Percentiles {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(
        tally: &Tally,
        latency: &Histogram<u64>,
        bots: u64,
        gates: Vec<String>,
        sending: Duration,
    ) -> Report {
        let unanswered = tally.unanswered.get();
        let mut report = Report {
            good: false,
            bots,
            gates,
            seconds: sending.as_secs_f64(),
            sent: tally.sent.get(),
            answered: tally.answered.get(),
            lost: tally.lost.get() + unanswered,
            unanswered,
            repeated: tally.repeated.get(),
            out_of_order: tally.out_of_order.get(),
            in_hand: tally.in_hand.get(),
            belated: tally.belated.get(),
            altered: tally.altered.get(),
            others: tally.others.get(),
            logins: tally.logins.get(),
            reconnects: tally.reconnects.get(),
            absent: tally.absent.get(),
            latency_ms: Percentiles::of(latency),
            login_ms: Percentiles::of(&tally.login()),
            ends: tally.ends(),
        };
        report.good = report.faults().is_empty();
        report
    }

    pub(super) fn is_good(&self) -> bool {
        self.good
    }

    /// One object, over several lines.
    pub(super) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("strings and finite numbers are always JSON") + "\n"
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        let (bots, seconds) = (self.bots, self.seconds);
        let gates = self.gates.join(", ");
        let bots = if bots == 1 {
            "1 bot".to_owned()
        } else {
            format!("{bots} bots")
        };
        let rate = format!("{:.0} a second", self.sent as f64 / seconds.max(0.001));
        let mut line = |label: &str, number: u64, note: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{}",
                format!("{label:<14}{number:>12}   {note}").trim_end()
            );
        };
        line("sent", self.sent, &rate);
        line("answered", self.answered, "");
        line("lost", self.lost, &self.of_the_lost());
        line("repeated", self.repeated, "");
        line("out of order", self.out_of_order, "");
        if self.in_hand > 0 {
            let note = format!(
                "out when the connection ended; {} answered later",
                self.belated
            );
            line("in hand", self.in_hand, &note);
        }
        if self.altered > 0 {
            line(
                "altered",
                self.altered,
                "answers that nobody has asked for like this",
            );
        }
        if self.others > 0 {
            line(
                "others",
                self.others,
                "messages of the game under other numbers",
            );
        }
        line(
            "logins",
            self.logins,
            &format!("{} of them again", self.reconnects),
        );
        if self.absent > 0 {
            line(
                "absent",
                self.absent,
                "bots that were not connected at the end",
            );
        }
        for (how, count) in &self.ends {
            line("  ended", *count, how);
        }
        let latency = self.latency_ms.to_text();
        let login = self.login_ms.to_text();
        let verdict = match self.faults().as_slice() {
            [] if self.in_hand > 0 => format!(
                "good: nothing was repeated or out of order, and what was lost, {}, was in hand \
                 when connections closed",
                self.in_hand
            ),
            [] => "good: nothing was lost, repeated or out of order".to_owned(),
            faults => format!("not good: {}", faults.join(", ")),
        };
        format!(
            "\n{bots} for {seconds:.1} s at {gates}\n\n{text}\n\
             latency ms  {latency}\nlogin ms    {login}\n\n{verdict}\n"
        )
    }

    fn of_the_lost(&self) -> String {
        match self.unanswered {
            0 => String::new(),
            some => format!("{some} of them still out at the end"),
        }
    }

    fn faults(&self) -> Vec<String> {
        let faults = [
            (self.lost, "lost"),
            (self.repeated, "repeated"),
            (self.out_of_order, "out of order"),
            (self.altered, "altered"),
            (self.absent, "bots absent at the end"),
        ];
        let found = faults.iter().filter(|(count, _)| *count > 0);
        found
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            mean: histogram.mean() / 1000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
        }
    }

    fn to_text(&self) -> String {
        let named = [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p999),
            ("max", self.max),
        ];
        let shown = named.map(|(name, value)| {
            format!(
                "{name} {:<6}",
                milliseconds((value * 1000.0).round() as u64)
            )
        });
        shown.join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tally::microseconds, *};

    fn report(tally: &Tally) -> Report {
        let mut latency = microseconds();
        latency.record(420).unwrap();
        let gates = vec!["tcp 127.0.0.1:10242".to_owned()];
        Report::new(tally, &latency, 10, gates, Duration::from_secs(10))
    }

    #[test]
    fn a_run_is_good_if_nothing_was_lost_repeated_or_out_of_order() {
        let tally = Tally::new();
        tally.sent.add(1000);
        tally.answered.add(998);
        tally.in_hand.add(2);
        let good = report(&tally);
        assert!(good.is_good());
        assert_eq!(
            good.to_text(),
            "\n10 bots for 10.0 s at tcp 127.0.0.1:10242\n\n\
             sent                  1000   100 a second\n\
             answered               998\n\
             lost                     0\n\
             repeated                 0\n\
             out of order             0\n\
             in hand                  2   out when the connection ended; 0 answered later\n\
             logins                   0   0 of them again\n\n\
             latency ms  p50 0.42    p90 0.42    p99 0.42    p99.9 0.42    max 0.42\n\
             login ms    p50 0.00    p90 0.00    p99 0.00    p99.9 0.00    max 0.00\n\n\
             good: nothing was repeated or out of order, and what was lost, 2, was in hand when \
             connections closed\n"
        );
        for fault in [
            &tally.lost,
            &tally.unanswered,
            &tally.repeated,
            &tally.out_of_order,
            &tally.absent,
        ] {
            fault.up();
            assert!(!report(&tally).is_good());
            fault.down();
        }
        assert!(report(&tally).is_good());
    }

    #[test]
    fn what_was_wrong_is_said() {
        let tally = Tally::new();
        tally.lost.add(3);
        tally.unanswered.add(1);
        tally.repeated.up();
        tally.ended("closed: idle");
        let report = report(&tally);
        let text = report.to_text();
        assert!(
            text.contains("lost                     4   1 of them still out at the end\n"),
            "{text}"
        );
        assert!(
            text.contains("  ended                  1   closed: idle\n"),
            "{text}"
        );
        assert!(text.ends_with("not good: 4 lost, 1 repeated\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(json["good"], false);
        assert_eq!(json["lost"], 4);
        assert_eq!(json["latency_ms"]["p99"], 0.42);
        assert_eq!(json["ends"]["closed: idle"], 1);
    }
}
