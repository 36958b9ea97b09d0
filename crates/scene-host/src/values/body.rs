//! From what arrives to what a function of the script takes, and from what the
//! script has to what is sent.

use std::cell::RefCell;

use bytes::Bytes;
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyByteArray, PyBytes, PyMemoryView},
};

use crate::values::json::{self, KeyCache};

/// What a function of the script makes of a body.
#[derive(Debug)]
pub(crate) enum Body {
    /// It takes the bytes.
    Raw,
    /// It takes the value of a JSON text.
    Json,
    /// It takes what this function of `ffext.messages` makes of the bytes.
    Typed(Py<PyAny>),
}

impl Body {
    /// As `ffext.messages.decoder()` says it: None, `'json'`, or a function.
    pub(crate) fn from_decoder(decoder: &Bound<'_, PyAny>) -> Self {
        if decoder.is_none() {
            Body::Raw
        } else if decoder.is_callable() {
            Body::Typed(decoder.clone().unbind())
        } else {
            Body::Json
        }
    }

    /// The value of a body, or, in words, why it has none. Whatever goes wrong is
    /// the sender's fault, and no error of the script.
    pub(crate) fn read<'py>(
        &self,
        py: Python<'py>,
        body: &[u8],
        keys: &RefCell<KeyCache>,
    ) -> Result<Bound<'py, PyAny>, String> {
        match self {
            Body::Raw => Ok(PyBytes::new(py, body).into_any()),
            Body::Json => read_json(py, body, keys).map_err(|error| error.to_string()),
            Body::Typed(decoder) => decoder
                .bind(py)
                .call1((PyBytes::new(py, body),))
                .map_err(|error| error.value(py).to_string()),
        }
    }
}

/// The value of a JSON text.
///
/// # Errors
/// It is none.
pub(crate) fn read_json<'py>(
    py: Python<'py>,
    text: &[u8],
    keys: &RefCell<KeyCache>,
) -> Result<Bound<'py, PyAny>, json::DecodeError> {
    match keys.try_borrow_mut() {
        Ok(mut keys) => json::decode(py, text, &mut keys),
        // A finalizer of the script reads JSON while its collector interrupts us.
        Err(_) => json::decode(py, text, &mut KeyCache::default()),
    }
}

/// A value as it is sent: bytes as they are, messages of thrift and protobuf
/// encoded by their types, anything else as JSON.
///
/// # Errors
/// `TypeError` for what can be none of these, `ValueError` for what is longer than
/// `limit`.
pub(crate) fn write(value: &Bound<'_, PyAny>, limit: usize) -> PyResult<Bytes> {
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return copy(bytes, limit);
    }
    if json::has_form(value) {
        return write_json(value, limit);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return copy(bytes, limit);
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        check_length(bytes.len(), limit)?;
        return Ok(bytes.to_vec().into());
    }
    if value.is_instance_of::<PyMemoryView>() {
        check_length(value.getattr("nbytes")?.extract()?, limit)?;
        return copy(value.call_method0("tobytes")?.cast()?, limit);
    }
    static PACK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let packed = PACK
        .import(value.py(), "ffext.messages", "pack")?
        .call1((value,))?;
    match packed.cast::<PyBytes>() {
        Ok(bytes) => copy(bytes, limit),
        // It says what can be sent.
        Err(_) => write_json(value, limit),
    }
}

fn write_json(value: &Bound<'_, PyAny>, limit: usize) -> PyResult<Bytes> {
    let mut out = Vec::with_capacity(128);
    json::encode(value, &mut out)?;
    check_length(out.len(), limit)?;
    Ok(out.into())
}

fn copy(bytes: &Bound<'_, PyBytes>, limit: usize) -> PyResult<Bytes> {
    let bytes = bytes.as_bytes();
    check_length(bytes.len(), limit)?;
    Ok(Bytes::copy_from_slice(bytes))
}

/// A longer message would get lost on its way, unseen by the script.
fn check_length(length: usize, limit: usize) -> PyResult<()> {
    if length > limit {
        return Err(PyValueError::new_err(format!(
            "a message has at most {limit} bytes, and this one {length}; send it in parts"
        )));
    }
    Ok(())
}
