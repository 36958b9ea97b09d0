//! What the Python half of the package tells the host.

use std::path::PathBuf;

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    observe::report::{kind_named, report_elsewhere},
    script::handlers::{Callback, Handler, Handlers},
    script::host::current,
    script::steps::Outcome,
    values::body::Body,
    watch::OwnFiles,
};

/// Fails on any other thread than the script's.
#[pyfunction]
pub(super) fn check_thread() -> PyResult<()> {
    current().map(drop)
}

/// These functions are in force from now on, and no others.
#[pyfunction]
pub(super) fn install(
    calls: &Bound<'_, PyList>,
    callbacks: &Bound<'_, PyDict>,
    services: &Bound<'_, PyList>,
) -> PyResult<()> {
    let host = current()?;
    let mut handlers = Handlers::default();
    for call in calls.iter() {
        let (cmd, function, decoder, concurrent, label) =
            call.extract::<(u16, Py<PyAny>, Bound<'_, PyAny>, bool, String)>()?;
        handlers.set_call(
            cmd,
            Handler {
                function,
                body: Body::from_decoder(&decoder),
                concurrent,
                label: host.shared.activity.label_of_cmd(&label, cmd),
            },
        );
    }
    for service in services.iter() {
        let (cmd, function, decoder, label) =
            service.extract::<(u16, Py<PyAny>, Bound<'_, PyAny>, String)>()?;
        handlers.set_service(
            cmd,
            Handler {
                function,
                body: Body::from_decoder(&decoder),
                concurrent: true,
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
                body: Body::Raw,
                concurrent: false,
                label: host.shared.activity.label(&label),
            },
        );
    }
    host.show_services(handlers.served());
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

/// The files that the script is made of, and the folders that it imports from.
#[pyfunction]
pub(super) fn own_files(files: Vec<PathBuf>, folders: Vec<PathBuf>) -> PyResult<()> {
    let own = OwnFiles { files, folders };
    current()?.shared.own_files.send_replace(own);
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

/// Something of the script has failed, on whichever thread.
#[pyfunction]
pub(super) fn failed_elsewhere(kind: &str, name: &str, traceback: &str) {
    report_elsewhere(kind_named(kind), name, traceback);
}

/// The script has stopped waiting for something.
#[pyfunction]
pub(super) fn give_up(ask: u64) -> PyResult<()> {
    current()?.give_up(ask);
    Ok(())
}

/// A function runs from now on that no event has called: a timer's, say.
#[pyfunction]
pub(super) fn entered(kind: &str, label: &str) -> PyResult<()> {
    let host = current()?;
    let label = host.shared.activity.label(&format!("{kind} {label}"));
    host.begin_step();
    label.meter.called();
    let outer = host.shared.activity.enter_within(&label);
    host.entered.borrow_mut().push((label, outer));
    Ok(())
}

/// The function has returned.
#[pyfunction]
pub(super) fn left() -> PyResult<()> {
    let host = current()?;
    let entered = host.entered.borrow_mut().pop();
    if let Some((label, outer)) = entered {
        host.shared.activity.leave_to(outer);
        host.measure(&label);
    }
    Ok(())
}

/// Takes the first step of something to be awaited. Returns the task in which it
/// goes on; None if it has ended.
#[pyfunction]
pub(super) fn begin<'py>(
    awaitable: &Bound<'py, PyAny>,
    kind: &str,
    label: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let host = current()?;
    let label = host.shared.activity.label(&format!("{kind} {label}"));
    host.begin_step();
    match host.follow_up(awaitable.py(), Ok(awaitable.clone()), &label) {
        Outcome::Done(result) => result.map(|_| None),
        Outcome::Goes(task) | Outcome::Follows(task) => Ok(Some(task)),
    }
}
