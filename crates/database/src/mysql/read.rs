//! From the wire to values.

use sqlx::{
    Decode, MySql, TypeInfo,
    mysql::{MySqlTypeInfo, MySqlValueRef},
};

use crate::{Date, DateTime, Time, Value, calendar::DAY};

/// How a column is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Int,
    Unsigned,
    Float,
    Double,
    Decimal,
    Date,
    Duration,
    DateTime { is_utc: bool },
    Text,
    Json,
    Bytes,
    Null,
}

pub(super) fn kind(ty: &MySqlTypeInfo) -> Result<Kind, String> {
    Ok(match ty.name() {
        "BOOLEAN" => Kind::Bool,
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Kind::Int,
        "YEAR" | "BIT" => Kind::Unsigned,
        name if name.ends_with(" UNSIGNED") => Kind::Unsigned,
        "FLOAT" => Kind::Float,
        "DOUBLE" => Kind::Double,
        "DECIMAL" => Kind::Decimal,
        "DATE" => Kind::Date,
        "TIME" => Kind::Duration,
        "DATETIME" => Kind::DateTime { is_utc: false },
        "TIMESTAMP" => Kind::DateTime { is_utc: true },
        "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET" => {
            Kind::Text
        }
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            if is_binary(ty) {
                Kind::Bytes
            } else {
                Kind::Text
            }
        }
        "JSON" => Kind::Json,
        "NULL" => Kind::Null,
        name => {
            return Err(format!(
                "values of type {name} are not supported: say CAST(… AS CHAR)"
            ));
        }
    })
}

pub(super) fn read(stored: MySqlValueRef<'_>, kind: Kind) -> Result<Value, String> {
    Ok(match kind {
        Kind::Null => Value::Null,
        Kind::Bool => match decode::<i64>(stored)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            number => Value::Int(number),
        },
        Kind::Int => Value::Int(decode(stored)?),
        Kind::Unsigned => Value::unsigned(decode(stored)?),
        Kind::Float => Value::Float(widen(decode(stored)?)),
        Kind::Double => Value::Float(decode(stored)?),
        Kind::Decimal => Value::Decimal(decode(stored)?),
        Kind::Text => Value::Text(decode(stored)?),
        Kind::Json => Value::Json(decode(stored)?),
        Kind::Bytes => Value::Bytes(decode(stored)?),
        Kind::Date => read_moment(decode(stored)?, false)
            .map(|moment| Value::Date(moment.date))
            .ok_or("is no day of the years 1 to 9999")?,
        Kind::DateTime { is_utc } => read_moment(decode(stored)?, is_utc)
            .map(Value::DateTime)
            .ok_or("is no moment of the years 1 to 9999")?,
        Kind::Duration => read_duration(decode(stored)?)
            .map(Value::Duration)
            .ok_or("is no duration")?,
    })
}

/// The shortest number that is this one to 32 bits.
pub(crate) fn widen(number: f32) -> f64 {
    number
        .to_string()
        .parse()
        .unwrap_or_else(|_| f64::from(number))
}

/// Whether a column holds bytes. `sqlx` takes every column whose text is compared
/// byte by byte for one of bytes; the character set, which says it, is shown to
/// nobody but those who debug.
fn is_binary(ty: &MySqlTypeInfo) -> bool {
    format!("{ty:?}").contains("Collation(63)")
}

fn decode<'r, T: Decode<'r, MySql>>(value: MySqlValueRef<'r>) -> Result<T, String> {
    T::decode(value).map_err(|error| error.to_string())
}

/// A date or a moment: as text, or its length, the year, month, day, the time, the
/// microseconds, as much of it as is not 0.
fn read_moment(bytes: &[u8], is_utc: bool) -> Option<DateTime> {
    if is_text(bytes) {
        let text = std::str::from_utf8(bytes).ok()?;
        let moment = DateTime::parse(text).or_else(|| {
            Some(DateTime {
                date: Date::parse(text)?,
                time: Time::new(0, 0, 0, 0)?,
                is_utc,
            })
        })?;
        return Some(DateTime { is_utc, ..moment });
    }
    let byte = |at: usize| bytes.get(at).copied();
    let year = u16::from_le_bytes([byte(1)?, byte(2)?]);
    let time = Time::new(
        byte(5).unwrap_or(0),
        byte(6).unwrap_or(0),
        byte(7).unwrap_or(0),
        read_micros(bytes.get(8..)),
    )?;
    Some(DateTime {
        date: Date::new(year.into(), byte(3)?, byte(4)?)?,
        time,
        is_utc,
    })
}

/// A duration: as text, or its length, the sign, the days, the time, the
/// microseconds, as much of it as is not 0.
fn read_duration(bytes: &[u8]) -> Option<i64> {
    if is_text(bytes) {
        let text = std::str::from_utf8(bytes).ok()?;
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (hours, rest) = text.split_once(':')?;
        let hours: i64 = hours
            .parse()
            .ok()
            .filter(|hours| (0..10_000).contains(hours))?;
        let rest = Time::parse(&format!("00:{rest}"))?.micros();
        return Some(sign * (hours * 3_600_000_000 + rest));
    }
    if bytes.first() == Some(&0) {
        return Some(0);
    }
    let byte = |at: usize| bytes.get(at).copied();
    let days = u32::from_le_bytes([byte(2)?, byte(3)?, byte(4)?, byte(5)?]);
    let time = Time::new(byte(6)?, byte(7)?, byte(8)?, read_micros(bytes.get(9..)))?;
    let span = i64::from(days)
        .checked_mul(DAY)?
        .checked_add(time.micros())?;
    Some(if byte(1)? == 0 { span } else { -span })
}

fn read_micros(bytes: Option<&[u8]>) -> u32 {
    let bytes = bytes.and_then(|bytes| bytes.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The binary forms begin with their length.
fn is_text(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first >= b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_from_bytes_and_from_text() {
        let hour_before = [12, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0];
        assert_eq!(read_duration(&hour_before), Some(-25 * 3_600_000_000 - 1));
        assert_eq!(read_duration(b"-25:00:01.5"), Some(-90_001_500_000));
        assert_eq!(read_duration(&[0]), Some(0));
        assert_eq!(read_duration(&[8, 1]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = (read_moment(&bytes, true), read_duration(&bytes));
        }
    }
}
