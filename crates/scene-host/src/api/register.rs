//! What the Python half of the package tells the host.

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    handlers::{Callback, Handler, Handlers},
    host::current,
    report::kind_named,
};

/// Fails on any other thread than the script's.
#[pyfunction]
pub(super) fn check_thread() -> PyResult<()> {
    current().map(drop)
}

/// These functions are in force from now on, and no others.
#[pyfunction]
pub(super) fn install(calls: &Bound<'_, PyList>, callbacks: &Bound<'_, PyDict>) -> PyResult<()> {
    let host = current()?;
    let mut handlers = Handlers::default();
    for call in calls.iter() {
        let (cmd, function, raw, concurrent, label) =
            call.extract::<(u16, Py<PyAny>, bool, bool, String)>()?;
        handlers.set_call(
            cmd,
            Handler {
                function,
                raw,
                concurrent,
                label: host.shared.activity.label(&label),
            },
        );
    }
    for (name, callback) in callbacks.iter() {
        let name: String = name.extract()?;
        let callback_kind = Callback::named(&name)
            .ok_or_else(|| PyValueError::new_err(format!("no callback is called {name}")))?;
        let (function, label) = callback.extract::<(Py<PyAny>, String)>()?;
        handlers.set_callback(
            callback_kind,
            Handler {
                function,
                raw: false,
                concurrent: false,
                label: host.shared.activity.label(&label),
            },
        );
    }
    let old = host.handlers.replace(handlers);
    // Not under the borrow: it may end objects of the script.
    drop(old);
    Ok(())
}

/// A load has succeeded. There are two hashes: the script's own and the module's.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, reason = "extracted from Python")]
pub(super) fn loaded(
    module: &str,
    version: u32,
    script_hash: &str,
    hash: &str,
    kept: Vec<String>,
) -> PyResult<()> {
    current()?.loaded(module, version, script_hash, hash, &kept);
    Ok(())
}

/// A load has failed, and nothing has changed.
#[pyfunction]
pub(super) fn load_failed(module: &str, reason: &str, traceback: &str) -> PyResult<()> {
    current()?.load_failed(module, reason, traceback);
    Ok(())
}

/// Something of the script has failed that no event called.
#[pyfunction]
pub(super) fn failed(kind: &str, label: &str, error: Bound<'_, PyAny>) -> PyResult<()> {
    let py = error.py();
    let error = PyErr::from_value(error);
    current()?.report(py, kind_named(kind), label, "", &error);
    Ok(())
}

/// A timer's function runs from now on.
#[pyfunction]
pub(super) fn entered(kind: &str, label: &str) -> PyResult<()> {
    let activity = &current()?.shared.activity;
    activity.enter(&activity.label(&format!("{kind} {label}")));
    Ok(())
}

/// The function has returned.
#[pyfunction]
pub(super) fn left() -> PyResult<()> {
    current()?.shared.activity.leave();
    Ok(())
}
