//! What goes into a statement and comes out of a row.

use std::fmt;

/// A value of a database.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is beyond [`Value::Int`].
    Unsigned(u64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An exact number, as its digits: `-12.50`; also `NaN`, `Infinity`.
    Decimal(String),
    /// A day.
    Date(Date),
    /// A time of a day.
    Time(Time),
    /// A span of time, in microseconds.
    Duration(i64),
    /// A moment.
    DateTime(DateTime),
    /// A JSON document, as its text.
    Json(String),
    /// A UUID.
    Uuid([u8; 16]),
}

/// A day of the Gregorian calendar, of the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// A time of a day, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) microsecond: u32,
}

/// A day and a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time.
    pub time: Time,
    /// Whether it is a moment, told in UTC; else it is what some clock shows.
    pub is_utc: bool,
}

impl Value {
    /// A whole number.
    pub fn unsigned(number: u64) -> Self {
        i64::try_from(number).map_or(Value::Unsigned(number), Value::Int)
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let held = match self {
            Value::Text(text) | Value::Decimal(text) | Value::Json(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        held + size_of::<Value>()
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Unsigned(_) => "a whole number",
            Value::Float(_) => "a float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Decimal(_) => "a decimal",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time",
            Value::Duration(_) => "a duration",
            Value::DateTime(_) => "a date with a time",
            Value::Json(_) => "a JSON document",
            Value::Uuid(_) => "a UUID",
        }
    }
}

impl Date {
    /// None if there is no such day.
    pub fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let year = u16::try_from(year)
            .ok()
            .filter(|y| (1..=9999).contains(y))?;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days)
            .contains(&day)
            .then_some(Date { year, month, day })
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }
}

impl Time {
    /// None if no clock shows it.
    pub fn new(hour: u8, minute: u8, second: u8, microsecond: u32) -> Option<Self> {
        (hour < 24 && minute < 60 && second < 60 && microsecond < 1_000_000).then_some(Time {
            hour,
            minute,
            second,
            microsecond,
        })
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u8 {
        self.hour
    }

    /// The minute.
    pub fn minute(self) -> u8 {
        self.minute
    }

    /// The second.
    pub fn second(self) -> u8 {
        self.second
    }

    /// The microsecond, below 1,000,000.
    pub fn microsecond(self) -> u32 {
        self.microsecond
    }
}

impl DateTime {
    /// The moment at which clocks that are so many microseconds before UTC show a
    /// time; none outside of the years 1 to 9999.
    pub fn at_offset(date: Date, time: Time, east: i64) -> Option<Self> {
        let shown = DateTime {
            date,
            time,
            is_utc: true,
        };
        DateTime::from_micros(shown.micros().checked_sub(east)?, true)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        match self.microsecond {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:06}"),
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = if self.is_utc { "+00:00" } else { "" };
        write!(f, "{} {}{zone}", self.date, self.time)
    }
}
