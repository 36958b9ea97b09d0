//! From values to the wire.

use sqlx::{
    Encode, MySql, Type,
    encode::IsNull,
    error::BoxDynError,
    mysql::MySqlTypeInfo,
    types::{
        Decimal,
        time::{Date as SqlDate, OffsetDateTime, PrimitiveDateTime, Time as SqlTime},
    },
};

use crate::{Date, Time, Value, calendar::DAY, connection::uuid_text};

/// A value on its way to the server.
pub(super) struct Parameter<'v>(pub(super) &'v Value);

impl Type<MySql> for Parameter<'_> {
    fn type_info() -> MySqlTypeInfo {
        <str as Type<MySql>>::type_info()
    }
}

impl Encode<'_, MySql> for Parameter<'_> {
    fn produces(&self) -> Option<MySqlTypeInfo> {
        Some(match self.0 {
            Value::Bool(_) => <i8 as Type<MySql>>::type_info(),
            Value::Int(_) => <i64 as Type<MySql>>::type_info(),
            Value::Unsigned(_) => <u64 as Type<MySql>>::type_info(),
            Value::Float(_) => <f64 as Type<MySql>>::type_info(),
            Value::Bytes(_) => <[u8] as Type<MySql>>::type_info(),
            Value::Decimal(_) => <Decimal as Type<MySql>>::type_info(),
            Value::Date(_) => <SqlDate as Type<MySql>>::type_info(),
            Value::Time(_) | Value::Duration(_) => <SqlTime as Type<MySql>>::type_info(),
            Value::DateTime(moment) if moment.is_utc => {
                <OffsetDateTime as Type<MySql>>::type_info()
            }
            Value::DateTime(_) => <PrimitiveDateTime as Type<MySql>>::type_info(),
            Value::Null | Value::Text(_) | Value::Json(_) | Value::Uuid(_) => {
                <str as Type<MySql>>::type_info()
            }
        })
    }

    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Bool(value) => buffer.push(u8::from(*value)),
            Value::Int(value) => buffer.extend(value.to_le_bytes()),
            Value::Unsigned(value) => buffer.extend(value.to_le_bytes()),
            Value::Float(value) if value.is_finite() => buffer.extend(value.to_le_bytes()),
            Value::Float(value) => return Err(format!("MySQL has no number {value}").into()),
            Value::Bytes(value) => return Encode::<MySql>::encode(value.as_slice(), buffer),
            Value::Text(text) | Value::Decimal(text) | Value::Json(text) => {
                return Encode::<MySql>::encode(text.as_str(), buffer);
            }
            Value::Uuid(bytes) => return Encode::<MySql>::encode(uuid_text(bytes), buffer),
            Value::Date(date) => {
                buffer.push(4);
                write_date(*date, buffer);
            }
            Value::DateTime(moment) => {
                buffer.push(11);
                write_date(moment.date, buffer);
                write_time(moment.time, buffer);
            }
            Value::Time(time) => write_duration(time.micros(), buffer)?,
            Value::Duration(micros) => write_duration(*micros, buffer)?,
        }
        Ok(IsNull::No)
    }
}

fn write_date(date: Date, buffer: &mut Vec<u8>) {
    buffer.extend(date.year.to_le_bytes());
    buffer.extend([date.month, date.day]);
}

fn write_time(time: Time, buffer: &mut Vec<u8>) {
    buffer.extend([time.hour, time.minute, time.second]);
    buffer.extend(time.microsecond.to_le_bytes());
}

fn write_duration(micros: i64, buffer: &mut Vec<u8>) -> Result<(), BoxDynError> {
    let span = i64::try_from(micros.unsigned_abs()).unwrap_or(i64::MAX);
    let time = Time::from_micros(span % DAY).ok_or("is no duration")?;
    buffer.extend([12, u8::from(micros < 0)]);
    buffer.extend(u32::try_from(span / DAY)?.to_le_bytes());
    write_time(time, buffer);
    Ok(())
}
