//! Days and moments as numbers and as text.
//!
//! Everything that a server can say is taken: what is no day of the years 1 to
//! 9999 is none.

use crate::value::{Date, DateTime, Time};

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;

/// Days from 1970-01-01 to 2000-01-01, which is day 0 to PostgreSQL.
pub(crate) const DAYS_TO_2000: i64 = 10_957;

impl Date {
    /// The day that is so many after 1970-01-01.
    pub(crate) fn from_days(days: i64) -> Option<Self> {
        // By eras of 400 years, whose years begin in March.
        let days = days.checked_add(719_468)?;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era.checked_mul(400)? + i64::from(month <= 2);
        Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    /// Days after 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// `2024-02-29`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let year = digits(parts.next()?, 4)?;
        let month = digits(parts.next()?, 2)?;
        let day = digits(parts.next()?, 2)?;
        Date::new(year.into(), month.try_into().ok()?, day.try_into().ok()?)
    }
}

impl Time {
    /// Below [`DAY`].
    pub(crate) fn from_micros(micros: i64) -> Option<Self> {
        if !(0..DAY).contains(&micros) {
            return None;
        }
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (minutes, second) = (seconds / 60, seconds % 60);
        Time::new(
            (minutes / 60) as u8,
            (minutes % 60) as u8,
            second as u8,
            micros as u32,
        )
    }

    pub(crate) fn micros(self) -> i64 {
        let seconds =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        seconds * 1_000_000 + i64::from(self.microsecond)
    }

    /// `07:05`, `07:05:09`, `07:05:09.25`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
        let mut parts = clock.splitn(3, ':');
        let hour = digits(parts.next()?, 2)?;
        let minute = digits(parts.next()?, 2)?;
        let second = parts.next().map_or(Some(0), |text| digits(text, 2))?;
        let micros = match fraction.get(..fraction.len().min(6)) {
            None => return None,
            Some("") if text.ends_with('.') => return None,
            Some("") => 0,
            Some(kept) => digits(kept, kept.len())? * 10_u32.pow(6 - kept.len() as u32),
        };
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Time::new(
            hour.try_into().ok()?,
            minute.try_into().ok()?,
            second.try_into().ok()?,
            micros,
        )
    }
}

impl DateTime {
    /// The moment that is so many microseconds after 1970-01-01.
    pub(crate) fn from_micros(micros: i64, is_utc: bool) -> Option<Self> {
        Some(DateTime {
            date: Date::from_days(micros.div_euclid(DAY))?,
            time: Time::from_micros(micros.rem_euclid(DAY))?,
            is_utc,
        })
    }

    pub(crate) fn micros(self) -> i64 {
        self.date.days() * DAY + self.time.micros()
    }

    /// `2024-02-29 07:05:09.25`, also with a `T`, and with `Z` or `+02:00` behind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let date = Date::parse(text.get(..10)?)?;
        let rest = text.get(10..)?.strip_prefix([' ', 'T'])?;
        let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let (clock, zone) = rest.split_at(zone_at);
        let local = DateTime {
            date,
            time: Time::parse(clock)?,
            is_utc: false,
        };
        let offset = match zone.as_bytes().first() {
            None => return Some(local),
            Some(b'Z') if zone.len() == 1 => 0,
            Some(sign @ (b'+' | b'-')) => {
                let east = Time::parse(zone.get(1..)?)?.micros();
                if *sign == b'-' { -east } else { east }
            }
            Some(_) => return None,
        };
        DateTime::from_micros(local.micros().checked_sub(offset)?, true)
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_have_their_numbers() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2000-01-01", DAYS_TO_2000),
            ("2000-02-29", 11_016),
            ("1969-12-31", -1),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            let date = Date::parse(text).unwrap();
            assert_eq!(date.days(), days, "{text}");
            assert_eq!(Date::from_days(days), Some(date));
            assert_eq!(date.to_string(), text);
        }
        assert_eq!(Date::from_days(2_932_897), None);
        assert_eq!(Date::from_days(i64::MAX), None);
        assert_eq!(Date::from_days(i64::MIN), None);
        assert_eq!(DateTime::from_micros(i64::MAX, true), None);
    }

    #[test]
    fn what_is_no_day_and_no_time_is_none() {
        for text in [
            "2023-02-29",
            "2024-13-01",
            "24-01-01",
            "2024-1-1",
            "",
            "0000-00-00",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        for text in [
            "24:00",
            "1:00",
            "10:60",
            "10:00:00.",
            "10:00:00.x",
            "",
            "10:00:00.12é",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01 10",
            "2024-01-01 10:00Q",
            "2024-01-01 10:00Zz",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_is_counted_in() {
        let moment = DateTime::parse("2024-03-01T01:30:00.5+02:00").unwrap();
        assert_eq!(moment.to_string(), "2024-02-29 23:30:00.500000+00:00");
        let local = DateTime::parse("2024-03-01 01:30").unwrap();
        assert_eq!(local.to_string(), "2024-03-01 01:30:00");
    }

    proptest! {
        #[test]
        fn every_moment_comes_back(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            let moment = DateTime::from_micros(micros, true).unwrap();
            prop_assert_eq!(moment.micros(), micros);
            prop_assert_eq!(DateTime::parse(&moment.to_string()), Some(moment));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,40}") {
            let _ = (Date::parse(&text), Time::parse(&text), DateTime::parse(&text));
        }
    }
}
