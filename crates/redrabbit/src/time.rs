//! Moments as people and logs write them: RFC 3339, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
pub(crate) type Micros = i64;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What the clock of this machine shows.
pub(crate) fn now() -> Micros {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// What somebody has sent as milliseconds since 1970, whatever it is.
pub(crate) fn from_millis(millis: u64) -> Micros {
    i64::try_from(millis).unwrap_or(0).saturating_mul(1000)
}

/// `2026-01-02T03:04:05.678901Z`.
pub(crate) fn to_text(moment: Micros) -> String {
    let (day, rest) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (year, month, day) = civil(day);
    let (seconds, micros) = (rest / SECOND, rest % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// `2026-01-02`.
pub(crate) fn to_date(moment: Micros) -> String {
    let mut text = to_text(moment);
    text.truncate(text.find('T').unwrap_or(text.len()));
    text
}

/// Reads a date alone, or one with a time behind a `T` or a space, which may have a
/// fraction and a zone; UTC where it has none.
pub(crate) fn parse(text: &str) -> Option<Micros> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "00:00:00Z"),
    };
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':', &[2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second - zone_seconds(zone)?;
    Some(days(year, month, day) * DAY + seconds * SECOND + micros(fraction)?)
}

/// Reads what HTTP calls a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn parse_http(text: &str) -> Option<Micros> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = text.split(' ').skip(1);
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    let at = MONTHS.find(month)?;
    let month = (month.len() == 3 && at % 3 == 0).then_some(at / 3 + 1)?;
    let is_all = zone == "GMT" && words.next().is_none();
    is_all.then(|| parse(&format!("{year}-{month:02}-{day}T{time}Z")))?
}

fn numbers<const N: usize>(text: &str, between: char, lengths: &[usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(between);
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next()?;
        let is_number = part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = is_number.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

fn zone_seconds(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return (zone.len() <= 1).then_some(0),
        Some('-') => -1,
        Some(_) => 1,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', &[2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn micros(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    Some(digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// Days from 1970-01-01, in the calendar of today ("days from civil", H. Hinnant).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written_and_with_zones() {
        assert_eq!(to_text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            to_text(1_709_210_096_000_001),
            "2024-02-29T12:34:56.000001Z"
        );
        assert_eq!(
            parse("2024-02-29T12:34:56.000001Z"),
            Some(1_709_210_096_000_001)
        );
        assert_eq!(
            parse("2024-02-29 13:34:56+01:00"),
            Some(1_709_210_096_000_000)
        );
        assert_eq!(parse("2024-02-29T12:34:56.5"), Some(1_709_210_096_500_000));
        assert_eq!(parse("1970-01-02"), Some(DAY));
        assert_eq!(to_date(DAY), "1970-01-02");
    }

    #[test]
    fn dates_of_http_are_read() {
        let date = parse_http("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date, parse("1994-11-06T08:49:37Z"));
        for wrong in [
            "",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37 GMTx",
            "Sun, 06 ovD 1994 08:49:37 GMT",
            "Sun, 06 No 1994 08:49:37 GMT",
            "Sun, 06  1994 08:49:37 GMT",
            "a b c d e f g",
        ] {
            assert_eq!(parse_http(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-2-1",
            "2024-02-29T",
            "2024-02-29T25:00:00Z",
            "2024-02-29T12:34",
            "2024-02-29T12:34:56.1x",
            "2024-02-29T12:34:56+1",
            "é",
            "2024-02-29é",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(moment in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
            prop_assert_eq!(parse(&to_text(moment)), Some(moment));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
