//! From Python's objects to the parameters of a statement.

use ::database::{Date, DateTime, Time, Value};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{
        PyBool, PyByteArray, PyBytes, PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess,
        PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTime, PyTimeAccess, PyTuple,
    },
};

use crate::values::json;

/// The values of a list or a tuple; None is an empty one.
///
/// # Errors
/// `TypeError` and `ValueError`, which say which parameter it is.
pub(crate) fn read_parameters(parameters: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
    if parameters.is_none() {
        return Ok(Vec::new());
    }
    if !parameters.is_instance_of::<PyList>() && !parameters.is_instance_of::<PyTuple>() {
        return Err(PyTypeError::new_err(format!(
            "parameters are a list or a tuple, not {}",
            type_name(parameters)
        )));
    }
    let items = parameters.try_iter()?.enumerate();
    items.map(|(index, item)| read(&item?, index + 1)).collect()
}

fn read(value: &Bound<'_, PyAny>, number: usize) -> PyResult<Value> {
    // The commonest first. A bool is an int to Python, and a moment a day.
    if let Ok(text) = value.cast::<PyString>() {
        Ok(Value::Text(text.to_str()?.to_owned()))
    } else if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(value) = value.cast::<PyBool>() {
        Ok(Value::Bool(value.is_true()))
    } else if let Ok(whole) = value.cast::<PyInt>() {
        read_int(whole)
    } else if let Ok(value) = value.cast::<PyFloat>() {
        Ok(Value::Float(value.value()))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Ok(Value::Bytes(bytes.as_bytes().to_vec()))
    } else if let Ok(moment) = value.cast::<PyDateTime>() {
        read_moment(moment, number)
    } else if let Ok(day) = value.cast::<PyDate>() {
        read_date(day).map(Value::Date)
    } else if value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
    {
        read_document(value)
    } else {
        read_rarer(value, number)
    }
}

fn read_rarer(value: &Bound<'_, PyAny>, number: usize) -> PyResult<Value> {
    static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    if let Ok(time) = value.cast::<PyTime>() {
        if !value.getattr(intern!(py, "tzinfo"))?.is_none() {
            return Err(PyValueError::new_err(format!(
                "parameter {number}: a time of a day has no time zone in a database"
            )));
        }
        return read_time(time).map(Value::Time);
    }
    if let Ok(span) = value.cast::<PyDelta>() {
        let days = i64::from(span.get_days()).checked_mul(86_400_000_000);
        let rest = i64::from(span.get_seconds()) * 1_000_000 + i64::from(span.get_microseconds());
        let micros = days.and_then(|days| days.checked_add(rest));
        return micros.map(Value::Duration).ok_or_else(|| {
            PyValueError::new_err(format!("parameter {number}: a duration that is too long"))
        });
    }
    if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
        let bytes = value.call_method0(intern!(py, "__bytes__"));
        let bytes = bytes.or_else(|_| value.call_method0(intern!(py, "tobytes")))?;
        return Ok(Value::Bytes(bytes.extract()?));
    }
    if value.is_instance(DECIMAL.import(py, "decimal", "Decimal")?)? {
        return read_decimal(value);
    }
    if value.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        let bytes: [u8; 16] = value.getattr(intern!(py, "bytes"))?.extract()?;
        return Ok(Value::Uuid(bytes));
    }
    Err(PyTypeError::new_err(format!(
        "parameter {number}: a value of type {} cannot be bound; there are None, bool, int, float, \
         str, bytes, Decimal, date, time, timedelta, datetime, UUID, and dict and list for JSON",
        type_name(value)
    )))
}

/// What no 64 bits hold is an exact number.
fn read_int(whole: &Bound<'_, PyInt>) -> PyResult<Value> {
    if let Ok(number) = whole.extract::<i64>() {
        return Ok(Value::Int(number));
    }
    if let Ok(number) = whole.extract::<u64>() {
        return Ok(Value::Unsigned(number));
    }
    Ok(Value::Decimal(whole.str()?.to_str()?.to_owned()))
}

fn read_decimal(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = value.py();
    let text = value.str()?.to_str()?.to_owned();
    // Not every database reads 1E+3; and nobody wants a million zeros.
    let exponent = text
        .split_once('E')
        .map(|(_, exponent)| exponent.parse::<i32>());
    match exponent {
        Some(Ok(-500..=500)) => {
            let plain = value.call_method1(intern!(py, "__format__"), (intern!(py, "f"),))?;
            Ok(Value::Decimal(plain.extract()?))
        }
        _ => Ok(Value::Decimal(text)),
    }
}

fn read_document(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let mut text = Vec::new();
    json::encode(value, &mut text)?;
    let text = String::from_utf8(text);
    let text = text.map_err(|_| PyValueError::new_err("a JSON document is not UTF-8"))?;
    Ok(Value::Json(text))
}

fn read_moment(moment: &Bound<'_, PyDateTime>, number: usize) -> PyResult<Value> {
    let py = moment.py();
    let (date, time) = (read_date(moment.cast::<PyDate>()?)?, read_time(moment)?);
    let offset = moment.call_method0(intern!(py, "utcoffset"))?;
    if offset.is_none() {
        let is_utc = false;
        return Ok(Value::DateTime(DateTime { date, time, is_utc }));
    }
    let offset = offset.cast::<PyDelta>()?;
    let east = i64::from(offset.get_days()) * 86_400_000_000
        + i64::from(offset.get_seconds()) * 1_000_000
        + i64::from(offset.get_microseconds());
    let moment = DateTime::at_offset(date, time, east);
    moment.map(Value::DateTime).ok_or_else(|| {
        PyValueError::new_err(format!(
            "parameter {number}: not of the years 1 to 9999 in UTC"
        ))
    })
}

fn read_date(day: &Bound<'_, PyDate>) -> PyResult<Date> {
    Date::new(day.get_year().into(), day.get_month(), day.get_day())
        .ok_or_else(|| PyValueError::new_err("there is no such day"))
}

fn read_time(time: &impl PyTimeAccess) -> PyResult<Time> {
    let (hour, minute, second) = (time.get_hour(), time.get_minute(), time.get_second());
    Time::new(hour, minute, second, time.get_microsecond())
        .ok_or_else(|| PyValueError::new_err("there is no such time"))
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().qualname();
    name.map_or_else(|_| "unknown".to_owned(), |name| name.to_string())
}
