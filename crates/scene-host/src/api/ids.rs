//! Ids for scripts.

use pyo3::{exceptions::PyRuntimeError, prelude::*};

use crate::script::host::current;

/// An id that was never given before; see `ffext.ids`.
#[pyfunction]
pub(super) fn alloc_id() -> PyResult<u64> {
    let host = current()?;
    let mut ids = host.ids.borrow_mut();
    ids.next(host.name.index(), &host.state)
        .map_err(|error| PyRuntimeError::new_err(error.to_string()))
}
