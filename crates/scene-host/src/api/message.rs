//! JSON for scripts; what is made of it elsewhere is made by the same code.

use std::cell::RefCell;

use pyo3::{exceptions::PyValueError, prelude::*, types::PyBytes};

use crate::{
    script::host::current,
    values::body::{self, read_json},
};

/// What is sent of a value: `bytes` as they are, messages of thrift and protobuf by
/// their types, anything else as JSON.
#[pyfunction]
pub(super) fn encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = body::write(value, usize::MAX)?;
    Ok(PyBytes::new(value.py(), &bytes))
}

/// The value of a JSON text.
#[pyfunction]
pub(super) fn decode_json<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let decoded = match current() {
        Ok(host) => read_json(py, text, &host.keys),
        // Another thread of the script's.
        Err(_) => read_json(py, text, &RefCell::default()),
    };
    decoded.map_err(|error| PyValueError::new_err(error.to_string()))
}
