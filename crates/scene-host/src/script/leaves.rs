//! What goes along with a session that leaves.

use bytes::Bytes;
use pyo3::{
    prelude::*,
    types::{PyBytes, PyString},
};
use tracing::error;

use crate::{
    network::delivery::MAX_EXTRA_BYTES, observe::activity::Label, observe::report::is_news,
};

/// What a leave callback has returned to go along instead of what was asked for;
/// None where it has returned nothing, or nonsense, which is reported.
pub(crate) fn read_extra(label: &Label, value: &Bound<'_, PyAny>) -> Option<Bytes> {
    if value.is_none() {
        return None;
    }
    match extra_data(value) {
        Ok(extra_data) => Some(extra_data),
        Err(reason) => {
            if is_news("leave", label, &reason) {
                error!(
                    target: "script",
                    handler = %label,
                    reason,
                    "leave returned nonsense; what was asked for goes along"
                );
            }
            None
        }
    }
}

/// `bytes` as they are, and text as UTF-8.
pub(crate) fn extra_data(value: &Bound<'_, PyAny>) -> Result<Bytes, String> {
    let bytes = if let Ok(bytes) = value.cast::<PyBytes>() {
        bytes.as_bytes()
    } else if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| "extra_data is no Unicode")?;
        text.as_bytes()
    } else {
        let kind = value.get_type();
        let kind = kind.qualname().map(|name| name.to_string());
        let kind = kind.unwrap_or_else(|_| "something else".to_owned());
        return Err(format!("extra_data is bytes or str, not {kind}"));
    };
    if bytes.len() > MAX_EXTRA_BYTES {
        return Err(format!(
            "extra_data has at most {MAX_EXTRA_BYTES} bytes, and this one {}; keep what is larger \
             in a database",
            bytes.len()
        ));
    }
    Ok(Bytes::copy_from_slice(bytes))
}
