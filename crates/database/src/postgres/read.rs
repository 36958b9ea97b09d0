//! From the wire to values.

use sqlx::{
    TypeInfo,
    postgres::{PgTypeInfo, PgTypeKind},
};

use super::base;
use crate::{
    Date, DateTime, Time, Value,
    calendar::{DAY, DAYS_TO_2000},
    decimal,
    mysql::read::widen,
};

/// How a column is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Int,
    Oid,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Date,
    Time,
    DateTime { is_utc: bool },
    Duration,
    Json,
    JsonBinary,
    Uuid,
    Void,
}

pub(super) fn kind(ty: &PgTypeInfo) -> Result<Kind, String> {
    let ty = base(ty);
    if matches!(ty.kind(), PgTypeKind::Enum(_)) {
        return Ok(Kind::Text);
    }
    Ok(match ty.name() {
        "BOOL" => Kind::Bool,
        "INT2" | "INT4" | "INT8" => Kind::Int,
        "OID" => Kind::Oid,
        "FLOAT4" => Kind::Float,
        "FLOAT8" => Kind::Double,
        "NUMERIC" => Kind::Decimal,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "\"CHAR\"" | "XML" | "xml"
        | "citext" | "CITEXT" => Kind::Text,
        "BYTEA" => Kind::Bytes,
        "DATE" => Kind::Date,
        "TIME" => Kind::Time,
        "TIMESTAMP" => Kind::DateTime { is_utc: false },
        "TIMESTAMPTZ" => Kind::DateTime { is_utc: true },
        "INTERVAL" => Kind::Duration,
        "JSON" => Kind::Json,
        "JSONB" => Kind::JsonBinary,
        "UUID" => Kind::Uuid,
        "VOID" => Kind::Void,
        name => {
            let way = match ty.kind() {
                PgTypeKind::Array(_) | PgTypeKind::Composite(_) => "to_json(…)",
                _ => "(…)::text",
            };
            return Err(format!(
                "values of type {name} are not supported: say {way}"
            ));
        }
    })
}

pub(super) fn read(bytes: &[u8], kind: Kind) -> Result<Value, String> {
    const NO_DAY: &str = "is no day of the years 1 to 9999: say (…)::text";
    const NO_MOMENT: &str = "is no moment of the years 1 to 9999: say (…)::text";
    Ok(match kind {
        Kind::Void => Value::Null,
        Kind::Bool => Value::Bool(bytes.first().is_some_and(|byte| *byte != 0)),
        Kind::Int => Value::Int(int(bytes)?),
        Kind::Oid => Value::Int(u32::from_be_bytes(exactly(bytes)?).into()),
        Kind::Float => Value::Float(widen(f32::from_be_bytes(exactly(bytes)?))),
        Kind::Double => Value::Float(f64::from_be_bytes(exactly(bytes)?)),
        Kind::Decimal => Value::Decimal(decimal::from_wire(bytes)?),
        Kind::Text => Value::Text(text(bytes)?),
        Kind::Bytes => Value::Bytes(bytes.to_vec()),
        Kind::Date => i64::from(i32::from_be_bytes(exactly(bytes)?))
            .checked_add(DAYS_TO_2000)
            .and_then(Date::from_days)
            .map(Value::Date)
            .ok_or(NO_DAY)?,
        Kind::Time => Time::from_micros(int(bytes)?)
            .map(Value::Time)
            .ok_or("24:00 is no time of a day: say (…)::text")?,
        Kind::DateTime { is_utc } => int(bytes)?
            .checked_add(DAYS_TO_2000 * DAY)
            .and_then(|micros| DateTime::from_micros(micros, is_utc))
            .map(Value::DateTime)
            .ok_or(NO_MOMENT)?,
        Kind::Duration => Value::Duration(duration(bytes)?),
        Kind::Json => Value::Json(text(bytes)?),
        Kind::JsonBinary => match bytes.split_first() {
            Some((1, document)) => Value::Json(text(document)?),
            _ => return Err("a JSON document of an unknown version".to_owned()),
        },
        Kind::Uuid => Value::Uuid(exactly(bytes)?),
    })
}

/// Microseconds, days, months.
fn duration(bytes: &[u8]) -> Result<i64, String> {
    let parts: [u8; 16] = exactly(bytes)?;
    let number = i128::from_be_bytes(parts);
    let (micros, days, months) = ((number >> 64) as i64, (number >> 32) as i32, number as i32);
    if months != 0 {
        return Err(
            "an interval with months has no fixed length: say EXTRACT(EPOCH FROM …)".to_owned(),
        );
    }
    i64::from(days)
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(micros))
        .ok_or_else(|| "an interval that is too long".to_owned())
}

fn int(bytes: &[u8]) -> Result<i64, String> {
    Ok(match bytes.len() {
        2 => i16::from_be_bytes(exactly(bytes)?).into(),
        4 => i32::from_be_bytes(exactly(bytes)?).into(),
        _ => i64::from_be_bytes(exactly(bytes)?),
    })
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    let all = bytes.try_into();
    all.map_err(|_| format!("has {} bytes instead of {N}", bytes.len()))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "is not UTF-8".to_owned())
}
