//! From rows to Python's objects.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use ::database::{Date, DateTime, Rows, Time, Value};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{
        PyBool, PyBytes, PyDate, PyDateTime, PyDelta, PyFloat, PyInt, PyList, PyString, PyTime,
        PyTuple, PyTzInfo,
    },
};

use super::shape::{Row, Shape};
use crate::{values::body::read_json, values::json::KeyCache};

thread_local! {
    /// The shapes of results that have been seen: the same few statements come over
    /// and over.
    static SHAPES: RefCell<HashMap<Box<[String]>, Arc<Shape>>> = RefCell::default();
}

/// How many shapes are remembered.
const SHAPES_KEPT: usize = 512;

/// An `ffext.database.Rows`.
pub(crate) fn write_rows(
    py: Python<'_>,
    rows: Rows,
    keys: &RefCell<KeyCache>,
) -> PyResult<Py<PyAny>> {
    static ROWS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let shape = shape(py, &rows.columns)?;
    let list = PyList::empty(py);
    for row in rows.rows {
        let values: PyResult<Vec<_>> = row.into_iter().map(|v| write(py, v, keys)).collect();
        let values = PyTuple::new(py, values?)?.unbind();
        list.append(Bound::new(py, Row::new(values, shape.clone()))?)?;
    }
    let names = shape.names.clone_ref(py);
    let made = ROWS.import(py, "ffext.database", "Rows")?;
    Ok(made
        .call1((list, names, rows.affected, rows.last_id))?
        .unbind())
}

fn shape(py: Python<'_>, columns: &[String]) -> PyResult<Arc<Shape>> {
    SHAPES.with_borrow_mut(|shapes| {
        if let Some(known) = shapes.get(columns) {
            return Ok(known.clone());
        }
        if shapes.len() >= SHAPES_KEPT {
            shapes.clear();
        }
        let made = Arc::new(Shape::new(py, columns)?);
        shapes.insert(columns.into(), made.clone());
        Ok(made)
    })
}

/// No Python object outlives the interpreter.
pub(crate) fn forget_shapes() {
    SHAPES.with_borrow_mut(HashMap::clear);
}

fn write<'py>(
    py: Python<'py>,
    value: Value,
    keys: &RefCell<KeyCache>,
) -> PyResult<Bound<'py, PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        Value::Int(number) => PyInt::new(py, number).into_any(),
        Value::Unsigned(number) => PyInt::new(py, number).into_any(),
        Value::Float(number) => PyFloat::new(py, number).into_any(),
        Value::Text(text) => PyString::new(py, &text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Decimal(text) => DECIMAL.import(py, "decimal", "Decimal")?.call1((text,))?,
        Value::Date(date) => write_date(py, date)?.into_any(),
        Value::Time(time) => write_time(py, time)?.into_any(),
        Value::Duration(micros) => write_duration(py, micros)?.into_any(),
        Value::DateTime(moment) => write_moment(py, moment)?.into_any(),
        Value::Json(text) => match read_json(py, text.as_bytes(), keys) {
            Ok(document) => document,
            // Nested more deeply than we read, say: the script may.
            Err(_) => PyString::new(py, &text).into_any(),
        },
        Value::Uuid(bytes) => {
            let (hex, little_endian) = (py.None(), py.None());
            let uuid = UUID.import(py, "uuid", "UUID")?;
            uuid.call1((hex, PyBytes::new(py, &bytes), little_endian))?
        }
    })
}

fn write_date(py: Python<'_>, date: Date) -> PyResult<Bound<'_, PyDate>> {
    PyDate::new(py, date.year().into(), date.month(), date.day())
}

fn write_time(py: Python<'_>, time: Time) -> PyResult<Bound<'_, PyTime>> {
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    PyTime::new(py, hour, minute, second, time.microsecond(), None)
}

fn write_moment(py: Python<'_>, moment: DateTime) -> PyResult<Bound<'_, PyDateTime>> {
    let DateTime { date, time, is_utc } = moment;
    let utc = is_utc.then(|| PyTzInfo::utc(py)).transpose()?;
    PyDateTime::new(
        py,
        date.year().into(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond(),
        utc.as_deref(),
    )
}

fn write_duration(py: Python<'_>, micros: i64) -> PyResult<Bound<'_, PyDelta>> {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    // 64 bits of microseconds are 107 million days at most, and the rest is a day's.
    let part = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    PyDelta::new(
        py,
        part(days),
        part(rest / 1_000_000),
        part(rest % 1_000_000),
        true,
    )
}
