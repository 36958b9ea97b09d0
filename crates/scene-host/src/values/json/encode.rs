//! Python objects to JSON text.

use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{
        PyBool, PyByteArray, PyBytes, PyDict, PyDictItems, PyDictKeys, PyDictValues, PyFloat,
        PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
    },
};

use super::MAX_DEPTH;
use crate::database::Row;

/// Why an object cannot be said in JSON, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("cannot be sent as JSON: {}{reason}", self.place())]
pub struct EncodeError {
    /// From the innermost place outwards.
    path: Vec<String>,
    reason: String,
}

/// Appends `value` to `out` as JSON: dict, list, tuple, set, the views of a dict,
/// str, int of 64 bits, float, bool and None, and what is derived from these.
///
/// # Errors
/// Anything else, and what is nested too deeply or in itself. What has been
/// appended by then is of no use.
pub fn encode(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    write_value(value, out, 0)
}

/// Whether a value is of a type that JSON has a form for; what is in it may not be.
pub fn has_form(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PyFloat>()
        || is_collection(value)
}

impl EncodeError {
    fn new(reason: impl Into<String>) -> Self {
        EncodeError {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    fn inside(mut self, place: impl FnOnce() -> String) -> Self {
        self.path.push(place());
        self
    }

    fn place(&self) -> String {
        if self.path.is_empty() {
            return String::new();
        }
        let path: String = self.path.iter().rev().map(String::as_str).collect();
        format!("at {path}: ")
    }
}

impl From<EncodeError> for PyErr {
    fn from(error: EncodeError) -> Self {
        PyTypeError::new_err(error.to_string())
    }
}

type Written = Result<(), EncodeError>;

fn write_value(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Written {
    // The commonest first. A bool is an int to Python, and comes before.
    if let Ok(text) = value.cast::<PyString>() {
        write_text(text, out)
    } else if value.is_none() {
        out.extend_from_slice(b"null");
        Ok(())
    } else if let Ok(flag) = value.cast::<PyBool>() {
        out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
        Ok(())
    } else if let Ok(number) = value.cast::<PyInt>() {
        write_int(number, out)
    } else if let Ok(dict) = value.cast::<PyDict>() {
        write_dict(dict, out, depth)
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(list.iter().map(Ok), out, depth)
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(
            tuple.iter_borrowed().map(|item| Ok(item.to_owned())),
            out,
            depth,
        )
    } else if let Ok(number) = value.cast::<PyFloat>() {
        write_float(number.value(), out)
    } else {
        write_other(value, out, depth)
    }
}

fn write_other(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Written {
    if !is_collection(value) {
        return Err(EncodeError::new(describe(value)));
    }
    let items = value
        .try_iter()
        .map_err(|error| EncodeError::new(error.to_string()))?;
    write_items(items, out, depth)
}

fn is_collection(value: &Bound<'_, PyAny>) -> bool {
    // Rows of databases are tuples to JSON.
    value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>()
        || value.is_instance_of::<PyDictKeys>()
        || value.is_instance_of::<PyDictValues>()
        || value.is_instance_of::<PyDictItems>()
        || value.is_instance_of::<Row>()
}

fn write_items<'py>(
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Written {
    check_depth(depth)?;
    out.push(b'[');
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        item.map_err(|error| EncodeError::new(error.to_string()))
            .and_then(|item| write_value(&item, out, depth + 1))
            .map_err(|error| error.inside(|| format!("[{place}]")))?;
    }
    out.push(b']');
    Ok(())
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> Written {
    check_depth(depth)?;
    out.push(b'{');
    for (place, (key, value)) in dict.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_key(&key, out)?;
        out.push(b':');
        write_value(&value, out, depth + 1)
            .map_err(|error| error.inside(|| format!("[{}]", shown(&key))))?;
    }
    out.push(b'}');
    Ok(())
}

fn check_depth(depth: usize) -> Written {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(EncodeError::new(format!(
        "more than {MAX_DEPTH} containers stand in one another, or one in itself"
    )))
}

/// Keys are text; numbers, bools and None are written as text, as `json` does.
fn write_key(key: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Written {
    if let Ok(text) = key.cast::<PyString>() {
        return write_text(text, out);
    }
    let is_plain = key.is_none()
        || key.is_instance_of::<PyBool>()
        || key.is_instance_of::<PyInt>()
        || key.is_instance_of::<PyFloat>();
    if !is_plain {
        return Err(EncodeError::new(format!(
            "a key is text or a number, not {}",
            type_name(key)
        )));
    }
    out.push(b'"');
    write_value(key, out, 0)?;
    out.push(b'"');
    Ok(())
}

fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> Written {
    let text = text
        .to_str()
        .map_err(|_| EncodeError::new("a text that is no Unicode: half of a surrogate pair"))?;
    serde_json::to_writer(out, text).map_err(|error| EncodeError::new(error.to_string()))
}

fn write_int(number: &Bound<'_, PyInt>, out: &mut Vec<u8>) -> Written {
    let written = if let Ok(number) = number.extract::<i64>() {
        serde_json::to_writer(out, &number)
    } else if let Ok(number) = number.extract::<u64>() {
        serde_json::to_writer(out, &number)
    } else {
        return Err(EncodeError::new("a whole number that does not fit 64 bits"));
    };
    written.map_err(|error| EncodeError::new(error.to_string()))
}

fn write_float(number: f64, out: &mut Vec<u8>) -> Written {
    if !number.is_finite() {
        return Err(EncodeError::new(format!("{number} is no number to JSON")));
    }
    serde_json::to_writer(out, &number).map_err(|error| EncodeError::new(error.to_string()))
}

/// What an object is that cannot be written, and what to do about it.
fn describe(value: &Bound<'_, PyAny>) -> String {
    let name = type_name(value);
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return format!("{name} inside of a value; bytes are sent as they are, and alone");
    }
    let has = |attribute: &str| value.get_type().hasattr(attribute).unwrap_or(false);
    if has("SerializeToString") || has("thrift_spec") {
        return format!(
            "a {name} inside of a value; messages of thrift and protobuf are sent alone"
        );
    }
    if has("__next__") {
        return format!("a value of type {name}; make a list of it first");
    }
    format!(
        "a value of type {name}; JSON has dict, list, tuple, set, str, int, float, bool and None, \
         and bytes and messages of thrift and protobuf are sent as they are"
    )
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    match value.get_type().qualname() {
        Ok(name) => name.to_string(),
        Err(_) => "value".to_owned(),
    }
}

/// A key in an error message.
fn shown(key: &Bound<'_, PyAny>) -> String {
    match key.repr() {
        Ok(text) => text.to_string().chars().take(40).collect(),
        Err(_) => "?".to_owned(),
    }
}
