//! Sizes and durations as people write them: `64KiB`, `500ms`.

/// Units of sizes, the largest first.
const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
/// Units of durations in milliseconds, the largest first.
const DURATIONS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A number of bytes: `64KiB`, `16 MiB`, `1000B`, `1000`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    match split(text)? {
        (number, "") => Some(number),
        (number, unit) => scale(number, unit, &SIZES),
    }
}

/// A number of milliseconds: `500ms`, `10s`, `2m`, `1h`. The unit is never left
/// out, since no two programs agree on what a bare number means.
pub(crate) fn parse_duration(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    scale(number, unit, &DURATIONS)
}

/// The size in the largest unit that shows it exactly.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

/// The duration in the largest unit that shows it exactly.
pub(crate) fn show_duration(millis: u64) -> String {
    show(millis, &DURATIONS)
}

/// Digits, then at most one space, then the unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.strip_prefix(' ') {
        Some("") => return None,
        Some(unit) => unit,
        None => unit,
    };
    Some((number.parse().ok()?, unit))
}

fn scale(number: u64, unit: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

fn show(amount: u64, units: &[(&str, u64); 4]) -> String {
    let fitting = units
        .iter()
        .find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor));
    let (unit, factor) = fitting.unwrap_or(&units[3]);
    format!("{}{unit}", amount / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_and_durations_need_no_more_than_a_number_and_a_unit() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("16 MiB"), Some(16 << 20));
        assert_eq!(parse_size("1000"), Some(1000));
        assert_eq!(parse_duration("500ms"), Some(500));
        assert_eq!(parse_duration("2m"), Some(120_000));
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for wrong in [
            "", "KiB", "64KB", "64kib", "64k", "-1", "1.5MiB", "1 ", "1  KiB", " 1",
        ] {
            assert_eq!(parse_size(wrong), None, "{wrong:?} was taken");
        }
        for wrong in ["", "10", "s", "1.5s", "10 sec", "-1s", "1m30s", "1S"] {
            assert_eq!(parse_duration(wrong), None, "{wrong:?} was taken");
        }
        assert_eq!(parse_size("99999999999GiB"), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(amount in 0..u64::MAX) {
            prop_assert_eq!(parse_size(&show_size(amount)), Some(amount));
            prop_assert_eq!(parse_duration(&show_duration(amount)), Some(amount));
        }
    }
}
