//! What a task runs instead of a coroutine that has begun without it.

use std::{
    mem, ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyAttributeError, PyRuntimeError, PyStopIteration},
    ffi, intern,
    prelude::*,
    types::PyTuple,
};

use crate::{observe::activity::Label, script::host::current};

/// What a coroutine has done when it was sent on.
pub(crate) enum Sent<'py> {
    /// It waits for this.
    Yielded(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// A coroutine whose first step has been taken. To asyncio it is that coroutine:
/// it has its attributes, and the task's stack is the coroutine's.
#[pyclass(name = "Begun", module = "ffext", frozen)]
#[derive(Default)]
pub(crate) struct Begun(Mutex<State>);

#[derive(Default)]
enum State {
    /// Its task is kept ready.
    #[default]
    Nothing,
    /// The task has not heard yet what it waits for.
    Handed(Running, Py<PyAny>),
    /// The task was cancelled before, and what it waited for could not be.
    Cancelled(Running, Py<PyAny>),
    Runs(Running),
    /// The task has not heard yet how it has ended.
    Ended(PyResult<Py<PyAny>>),
}

struct Running {
    coroutine: Py<PyAny>,
    label: Label,
}

/// What a task is told when it asks for more.
enum Next {
    Yield(Py<PyAny>),
    Send(Py<PyAny>, Label),
    Throw(Py<PyAny>, Label, Py<PyAny>),
    End(PyResult<Py<PyAny>>),
}

impl Begun {
    /// The coroutine waits for something.
    pub(super) fn hand_over(
        &self,
        coroutine: &Bound<'_, PyAny>,
        waits_for: Bound<'_, PyAny>,
        label: &Label,
    ) {
        let running = Running {
            coroutine: coroutine.clone().unbind(),
            label: label.clone(),
        };
        self.set(State::Handed(running, waits_for.unbind()));
    }

    /// The coroutine has ended.
    pub(super) fn end(&self, result: PyResult<Bound<'_, PyAny>>) {
        self.set(State::Ended(result.map(Bound::unbind)));
    }

    fn set(&self, state: State) {
        let before = mem::replace(&mut *self.state(), state);
        // Not under the lock: it may end objects of the script.
        drop(before);
    }

    fn coroutine(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &*self.state() {
            State::Handed(running, _) | State::Cancelled(running, _) | State::Runs(running) => {
                Some(running.coroutine.clone_ref(py))
            }
            State::Nothing | State::Ended(_) => None,
        }
    }

    fn next(&self, py: Python<'_>) -> Next {
        let mut state = self.state();
        if let State::Runs(running) = &*state {
            return Next::Send(running.coroutine.clone_ref(py), running.label.clone());
        }
        match mem::take(&mut *state) {
            State::Handed(running, waits_for) => {
                *state = State::Runs(running);
                Next::Yield(waits_for)
            }
            State::Cancelled(running, error) => {
                let next = Next::Throw(
                    running.coroutine.clone_ref(py),
                    running.label.clone(),
                    error,
                );
                *state = State::Runs(running);
                next
            }
            State::Ended(result) => Next::End(result),
            State::Nothing | State::Runs(_) => {
                Next::End(Err(PyRuntimeError::new_err("this task is the host's own")))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is as good after a panic as before it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Begun {
    /// The coroutine goes on.
    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.next(py) {
            Next::Yield(what) => Ok(what),
            Next::Send(coroutine, label) => watched(&label, || match send(coroutine.bind(py)) {
                Sent::Yielded(what) => Ok(what.unbind()),
                Sent::Returned(value) => Err(returned(value.unbind())),
                Sent::Raised(error) => Err(error),
            }),
            Next::Throw(coroutine, label, error) => {
                let coroutine = coroutine.bind(py);
                watched(&label, || throw(coroutine, (error,))).map(Bound::unbind)
            }
            Next::End(result) => Err(result.map_or_else(|error| error, returned)),
        }
    }

    /// As `__next__`, whatever is sent: tasks send nothing.
    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = value;
        self.__next__(py)
    }

    /// The coroutine is interrupted.
    #[pyo3(signature = (*arguments))]
    fn throw(&self, py: Python<'_>, arguments: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let error = arguments.get_item(0)?;
        match self.next(py) {
            // It has cancelled itself before it has begun to wait. As in any task
            // that is cancelled while it waits: what it waits for is cancelled; and
            // if that cannot be, the coroutine when it goes on.
            Next::Yield(waits_for) => {
                if !cancel(waits_for.bind(py), &error)? {
                    self.cancel_later(error);
                }
                Ok(waits_for)
            }
            Next::Send(coroutine, label) => {
                let coroutine = coroutine.bind(py);
                watched(&label, || throw(coroutine, arguments.clone())).map(Bound::unbind)
            }
            Next::Throw(coroutine, label, earlier) => {
                let coroutine = coroutine.bind(py);
                watched(&label, || throw(coroutine, (earlier,))).map(Bound::unbind)
            }
            // It has cancelled itself, and has returned all the same.
            Next::End(Ok(_)) => Err(PyErr::from_value(error)),
            Next::End(Err(error)) => Err(error),
        }
    }

    /// Ends the coroutine.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(coroutine) = self.coroutine(py) {
            coroutine.call_method0(py, intern!(py, "close"))?;
        }
        Ok(())
    }

    /// Whatever else it is asked for is the coroutine's.
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        match self.coroutine(py) {
            Some(coroutine) => coroutine.getattr(py, name),
            None => Err(PyAttributeError::new_err(name.to_owned())),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        match self.coroutine(py) {
            Some(coroutine) => Ok(coroutine.bind(py).repr()?.to_string()),
            None => Ok("<no coroutine>".to_owned()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // It is held for no longer than a look, by a thread that has the
        // interpreter's lock.
        let Ok(state) = self.0.try_lock() else {
            return Ok(());
        };
        match &*state {
            State::Handed(running, other) | State::Cancelled(running, other) => {
                visit.call(&running.coroutine)?;
                visit.call(other)
            }
            State::Runs(running) => visit.call(&running.coroutine),
            State::Ended(Ok(value)) => visit.call(value),
            State::Nothing | State::Ended(Err(_)) => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.set(State::Nothing);
    }
}

impl Begun {
    fn cancel_later(&self, error: Bound<'_, PyAny>) {
        let mut state = self.state();
        *state = match mem::take(&mut *state) {
            State::Runs(running) => State::Cancelled(running, error.unbind()),
            state => state,
        };
    }
}

/// Sends a coroutine on.
pub(super) fn send<'py>(coroutine: &Bound<'py, PyAny>) -> Sent<'py> {
    let py = coroutine.py();
    let mut value = ptr::null_mut();
    // SAFETY: a live object that can be sent on, as coroutines can; what comes
    // back is a new reference, or null with an exception.
    unsafe {
        let none = ffi::Py_None();
        match ffi::PyIter_Send(coroutine.as_ptr(), none, &raw mut value) {
            ffi::PySendResult::PYGEN_NEXT => Sent::Yielded(Bound::from_owned_ptr(py, value)),
            ffi::PySendResult::PYGEN_RETURN => Sent::Returned(Bound::from_owned_ptr(py, value)),
            ffi::PySendResult::PYGEN_ERROR => Sent::Raised(PyErr::fetch(py)),
        }
    }
}

fn throw<'py>(
    coroutine: &Bound<'py, PyAny>,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    coroutine.call_method1(intern!(coroutine.py(), "throw"), arguments)
}

/// Cancels what a coroutine waits for; false if that cannot be cancelled.
fn cancel(waits_for: &Bound<'_, PyAny>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = error.py();
    if !waits_for.hasattr(intern!(py, "_asyncio_future_blocking"))? {
        return Ok(false);
    }
    let message = error.getattr(intern!(py, "args"))?;
    let message = message
        .get_item(0)
        .unwrap_or_else(|_| py.None().into_bound(py));
    waits_for
        .call_method1(intern!(py, "cancel"), (message,))?
        .is_truthy()
}

/// As tasks hear that a coroutine has returned.
fn returned(value: Py<PyAny>) -> PyErr {
    PyStopIteration::new_err((value,))
}

/// Does a step under the watchdog's eyes, and measures it.
fn watched<R>(label: &Label, step: impl FnOnce() -> R) -> R {
    let Ok(host) = current() else {
        return step();
    };
    host.begin_step();
    let outer = host.shared.activity.enter_within(label);
    let result = step();
    host.shared.activity.leave_to(outer);
    host.measure(label);
    result
}
