//! What the terminal shows while bots run: a table whose last row is now.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write, stderr},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use hdrhistogram::Histogram;
use rustix::termios::tcgetwinsize;

/// How things stand, and what has happened since they were last looked at.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Since the beginning.
    pub(super) time: Duration,
    /// Since the last sample.
    pub(super) span: Duration,
    pub(super) bots: u64,
    pub(super) connected: u64,
    /// So far, as all that follows.
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) lost: u64,
    pub(super) out_of_order: u64,
    pub(super) reconnects: u64,
    /// How connections ended.
    pub(super) ends: BTreeMap<String, u64>,
}

/// Writes to stderr, so that stdout has the result and nothing else.
#[derive(Debug)]
pub(super) struct Progress {
    /// The row is written over with the next one, and may have colours.
    on_terminal: bool,
    in_colour: bool,
    rows: usize,
    last: Option<Sample>,
}

const HEADER: [&str; 2] = [
    "                  MESSAGES/S          LATENCY MS                 OUT OF         ",
    "TIME  CONNECTED    SENT  ANSWERED     P50     P99     MAX   LOST  ORDER  RETURNS",
];

/// In a file, the header comes again after so many rows.
const ROWS: usize = 30;

impl Progress {
    pub(super) fn new() -> Progress {
        let on_terminal = stderr().is_terminal();
        let no_color = std::env::var("NO_COLOR").ok();
        Progress {
            on_terminal,
            in_colour: daemon::wants_colour(None, no_color.as_deref(), on_terminal),
            rows: 0,
            last: None,
        }
    }

    /// Shows how things stand. `latency` has what was answered since the last time,
    /// in microseconds.
    pub(super) fn show(&mut self, sample: Sample, latency: &Histogram<u64>) {
        let mut text = String::new();
        if self.on_terminal && self.rows > 0 {
            text.push_str("\r\x1b[K");
        }
        for event in events(self.last.as_ref(), &sample) {
            text.push_str(&format!("{:>4}  {event}\n", clock(sample.time)));
        }
        if self.rows == 0 || (!self.on_terminal && self.rows.is_multiple_of(ROWS)) {
            let bold = if self.in_colour {
                Style::new().bold()
            } else {
                Style::new()
            };
            for line in HEADER.map(str::trim_end) {
                text.push_str(&format!("{bold}{line}{bold:#}\n"));
            }
        }
        let row = row(self.last.as_ref(), &sample, latency);
        text.push_str(&self.painted(&row, &sample));
        if !self.on_terminal {
            text.push('\n');
        }
        self.rows += 1;
        self.last = Some(sample);
        write(&text);
    }

    /// Ends the row that would be written over.
    pub(super) fn finish(&mut self) {
        if self.on_terminal && self.rows > 0 {
            write("\n");
        }
    }

    /// As wide as the terminal; red if something is wrong.
    fn painted(&self, row: &str, sample: &Sample) -> String {
        if !self.on_terminal {
            return row.to_owned();
        }
        let columns = tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { usize::MAX } else { columns };
        let row: String = row.chars().take(columns).collect();
        if self.in_colour && (sample.lost > 0 || sample.out_of_order > 0) {
            let red = AnsiColor::Red.on_default();
            return format!("{red}{row}{red:#}");
        }
        row
    }
}

/// A terminal that is not there any more need not be told.
fn write(text: &str) {
    let mut out = stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn row(last: Option<&Sample>, sample: &Sample, latency: &Histogram<u64>) -> String {
    let seconds = sample.span.as_secs_f64().max(0.001);
    let rate = |now: u64, before: Option<u64>| {
        let more = now.saturating_sub(before.unwrap_or(0));
        (more as f64 / seconds).round()
    };
    let quantile = |quantile| match latency.len() {
        0 => "-".to_owned(),
        _ => milliseconds(latency.value_at_quantile(quantile)),
    };
    format!(
        "{:>4}  {:>9}  {:>6}  {:>8}  {:>6}  {:>6}  {:>6}  {:>5}  {:>5}  {:>7}",
        clock(sample.time),
        format!("{}/{}", sample.connected, sample.bots),
        rate(sample.sent, last.map(|last| last.sent)),
        rate(sample.answered, last.map(|last| last.answered)),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        sample.lost,
        sample.out_of_order,
        sample.reconnects,
    )
}

/// How connections have ended since the last sample.
fn events(last: Option<&Sample>, sample: &Sample) -> Vec<String> {
    let before = |how: &str| last.and_then(|last| last.ends.get(how)).copied();
    let new = sample.ends.iter().filter_map(|(how, count)| {
        let more = count - before(how).unwrap_or(0).min(*count);
        (more > 0).then(|| format!("{more} × {how}"))
    });
    new.collect()
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Of microseconds, with as many digits as are of use.
pub(super) fn milliseconds(microseconds: u64) -> String {
    let value = microseconds as f64 / 1000.0;
    match microseconds {
        ..10_000 => format!("{value:.2}"),
        10_000..1_000_000 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tally::microseconds, *};

    fn sample(time: u64, sent: u64, ends: &[(&str, u64)]) -> Sample {
        let ends = ends.iter().map(|(how, count)| ((*how).to_owned(), *count));
        Sample {
            time: Duration::from_secs(time),
            span: Duration::from_secs(2),
            bots: 1000,
            connected: 998,
            sent,
            answered: sent - 20,
            lost: 0,
            out_of_order: 0,
            reconnects: 3,
            ends: ends.collect(),
        }
    }

    #[test]
    fn a_row_stands_under_its_header_and_fits_a_terminal() {
        let mut latency = microseconds();
        for time in [420, 420, 13_370] {
            latency.record(time).unwrap();
        }
        let last = sample(81, 100_000, &[]);
        let row = row(Some(&last), &sample(83, 120_000, &[]), &latency);
        assert_eq!(
            row,
            "1:23   998/1000   10000     10000    0.42    13.4    13.4      0      0        3"
        );
        assert_eq!(row.len(), 80);
        assert!(HEADER.iter().all(|line| line.len() == 80));
    }

    #[test]
    fn without_answers_there_is_no_latency() {
        let row = row(None, &sample(0, 20, &[]), &microseconds());
        assert!(row.contains("      -       -       -  "), "{row}");
    }

    #[test]
    fn what_ended_since_is_an_event() {
        let last = sample(1, 20, &[("closed: draining", 500), ("refused: no", 1)]);
        let now = sample(
            2,
            20,
            &[("closed: draining", 510), ("refused: no", 1), ("x", 2)],
        );
        assert_eq!(
            events(Some(&last), &now),
            ["10 × closed: draining", "2 × x"]
        );
    }

    #[test]
    fn times_have_three_digits() {
        let shown = [0, 7, 9_990, 10_000, 999_940, 1_234_567].map(milliseconds);
        assert_eq!(shown, ["0.00", "0.01", "9.99", "10.0", "999.9", "1235"]);
    }
}
