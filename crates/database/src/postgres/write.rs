//! From values to the wire, as what the server wants.

use sqlx::{
    TypeInfo,
    postgres::{PgTypeInfo, PgTypeKind},
};

use super::base;
use crate::{
    DateTime, Time, Value,
    calendar::{DAY, DAYS_TO_2000},
    connection::uuid_bytes,
    decimal,
};

/// A value as a type of the server; none is NULL.
pub(super) fn write(value: &Value, ty: &PgTypeInfo) -> Result<Option<Vec<u8>>, String> {
    if *value == Value::Null {
        return Ok(None);
    }
    let ty = base(ty);
    let name = match ty.kind() {
        PgTypeKind::Enum(_) => "TEXT",
        _ => ty.name(),
    };
    match convert(value, name) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(format!(
            "the database takes {} here, and was given {}; {}",
            ty.name(),
            match value {
                Value::Int(_) | Value::Unsigned(_) if name.starts_with("INT") => {
                    "a number that does not fit"
                }
                value => value.name(),
            },
            if is_known(name) {
                "bind such a value, or say in the statement what this one is, as $1::bigint does"
            } else {
                "bind text, and write $1::text::TYPE with the type's name"
            }
        )),
    }
}

/// None if it is not such a value.
fn convert(value: &Value, name: &str) -> Option<Vec<u8>> {
    let moment = |value: &Value| match value {
        Value::DateTime(moment) => Some(*moment),
        Value::Date(date) => Some(DateTime {
            date: *date,
            time: Time::new(0, 0, 0, 0)?,
            is_utc: false,
        }),
        _ => None,
    };
    let bytes = match (name, value) {
        ("BOOL", Value::Bool(value)) => vec![u8::from(*value)],
        ("BOOL", Value::Int(value @ 0..=1)) => vec![*value as u8],
        ("INT2", value) => i16::try_from(whole(value)?).ok()?.to_be_bytes().to_vec(),
        ("INT4", value) => i32::try_from(whole(value)?).ok()?.to_be_bytes().to_vec(),
        ("OID", value) => u32::try_from(whole(value)?).ok()?.to_be_bytes().to_vec(),
        ("INT8", value) => i64::try_from(whole(value)?).ok()?.to_be_bytes().to_vec(),
        ("FLOAT4", value) => (float(value)? as f32).to_be_bytes().to_vec(),
        ("FLOAT8", value) => float(value)?.to_be_bytes().to_vec(),
        ("NUMERIC", Value::Decimal(text)) => decimal::to_wire(text)?,
        ("NUMERIC", Value::Float(value)) => decimal::to_wire(&value.to_string())?,
        ("NUMERIC", value) => decimal::to_wire(&whole(value)?.to_string())?,
        (
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "XML" | "xml" | "citext" | "CITEXT",
            Value::Text(text) | Value::Json(text),
        ) => text.clone().into_bytes(),
        ("BYTEA", Value::Bytes(bytes)) => bytes.clone(),
        ("DATE", Value::Date(date)) => {
            let days = date.days() - DAYS_TO_2000;
            i32::try_from(days).ok()?.to_be_bytes().to_vec()
        }
        ("TIME", Value::Time(time)) => time.micros().to_be_bytes().to_vec(),
        ("TIMESTAMP" | "TIMESTAMPTZ", value) => {
            let micros = moment(value)?.micros() - DAYS_TO_2000 * DAY;
            micros.to_be_bytes().to_vec()
        }
        ("INTERVAL", Value::Duration(micros)) => {
            let mut bytes = (micros % DAY).to_be_bytes().to_vec();
            bytes.extend(i32::try_from(micros / DAY).ok()?.to_be_bytes());
            bytes.extend(0_i32.to_be_bytes());
            bytes
        }
        ("JSON", value) => document(value)?.into_bytes(),
        ("JSONB", value) => [&[1], document(value)?.as_bytes()].concat(),
        ("UUID", Value::Uuid(bytes)) => bytes.to_vec(),
        ("UUID", Value::Text(text)) => uuid_bytes(text)?.to_vec(),
        _ => return None,
    };
    Some(bytes)
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some((*number).into()),
        Value::Unsigned(number) => Some((*number).into()),
        Value::Bool(value) => Some((*value).into()),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Decimal(text) => text.parse().ok(),
        value => whole(value).map(|number| number as f64),
    }
}

/// Text is taken for a document's.
fn document(value: &Value) -> Option<String> {
    match value {
        Value::Json(text) | Value::Text(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Float(number) if number.is_finite() => Some(number.to_string()),
        value => whole(value).map(|number| number.to_string()),
    }
}

/// Whether some value is of this type.
fn is_known(name: &str) -> bool {
    matches!(
        name,
        "BOOL"
            | "INT2"
            | "INT4"
            | "INT8"
            | "OID"
            | "FLOAT4"
            | "FLOAT8"
            | "NUMERIC"
            | "TEXT"
            | "VARCHAR"
            | "CHAR"
            | "NAME"
            | "UNKNOWN"
            | "BYTEA"
            | "DATE"
            | "TIME"
            | "TIMESTAMP"
            | "TIMESTAMPTZ"
            | "INTERVAL"
            | "JSON"
            | "JSONB"
            | "UUID"
    )
}
