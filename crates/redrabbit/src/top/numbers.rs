//! Numbers as a narrow column has them.

use std::time::Duration;

/// Three digits and a unit: `0`, `7.2`, `950`, `1.4k`, `23M`.
pub(super) fn count(value: f64) -> String {
    scaled(value, 1000.0, &["", "k", "M", "G", "T"])
}

/// The same of bytes: `912B`, `1.4K`, `23M`, of 1024 each.
pub(super) fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["B", "K", "M", "G", "T"])
}

/// Cores as a share of one: `21%`, `0.3%`.
pub(super) fn share(value: f64) -> String {
    let percent = value * 100.0;
    match percent {
        0.05..9.95 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

/// The two largest units: `41s`, `3m20s`, `2h05m`, `11d04h`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

fn scaled(value: f64, base: f64, units: &[&str]) -> String {
    if !value.is_finite() || value <= 0.0 {
        return format!("0{}", units[0]);
    }
    let (mut value, mut unit) = (value, 0);
    // What would be rounded to four digits has the next unit.
    while value >= base - base / 2000.0 && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    let unit = units[unit];
    let text = match value {
        ..9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_a_narrow_column() {
        let cases = [
            (0.0, "0"),
            (-1.0, "0"),
            (f64::NAN, "0"),
            (0.4, "0.4"),
            (7.0, "7"),
            (9.97, "10"),
            (950.0, "950"),
            (999.9, "1k"),
            (1400.0, "1.4k"),
            (23_456_000.0, "23M"),
            (9e17, "900000T"),
        ];
        for (value, text) in cases {
            assert_eq!(count(value), text, "{value}");
        }
        assert_eq!([bytes(912.0), bytes(1434.0)], ["912B", "1.4K"]);
        assert_eq!(
            [share(0.213), share(0.0032), share(0.0)],
            ["21%", "0.3%", "0%"]
        );
    }

    #[test]
    fn times_have_two_units() {
        let of = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(
            [of(41), of(200), of(7500), of(965_000)],
            ["41s", "3m20s", "2h05m", "11d04h"]
        );
    }
}
