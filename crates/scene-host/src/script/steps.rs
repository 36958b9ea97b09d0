//! The first step of a coroutine, taken at once.
//!
//! Most `async def` functions of scripts return without having waited for
//! anything, and to make a task for each costs far more than what they do. Yet a
//! coroutine needs a task from its first step on: `asyncio.current_task()`,
//! time-outs and task groups ask for it.
//!
//! So one is kept ready: a real `asyncio.Task`, whose own first step has been kept
//! from the event loop (`python/ffext/steps.py`). It is the current one, and its
//! context the thread's, while a coroutine's first step is taken by hand.
//! - The coroutine ends, which it does most of the time: the task has not been
//!   used, and is kept for the next one. Unless the script has left a trace in it:
//!   then it ends as the coroutine did.
//! - The coroutine waits: the task goes on with it, and waits for the same. It has
//!   been the coroutine's own all along.

mod begun;

use std::cell::RefCell;

use pyo3::{
    ffi, intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

pub(crate) use self::begun::Begun;
use self::begun::{Sent, send};
use crate::{
    observe::activity::Label, script::caller::variable, script::context::Context,
    script::host::Host, script::jobs::is_coroutine, script::turns::is_awaitable,
};

/// What has become of a function of the script.
pub(crate) enum Outcome<'py> {
    /// It has returned, or failed.
    Done(PyResult<Bound<'py, PyAny>>),
    /// It goes on in a task, which has begun.
    Goes(Bound<'py, PyAny>),
    /// It goes on in a task that begins at the event loop's next turn.
    Follows(Bound<'py, PyAny>),
}

/// What first steps are taken with.
pub(crate) struct Steps {
    event_loop: Py<PyAny>,
    /// Makes a task that is ready.
    prepare: Py<PyAny>,
    /// Lets `asyncio.all_tasks()` show a task.
    register: Py<PyAny>,
    /// Hides it from there.
    unregister: Py<PyAny>,
    create_task: Py<PyAny>,
    ensure_future: Py<PyAny>,
    /// asyncio's table of the task that each event loop runs. None where this
    /// Python has no such table: there every coroutine becomes a task.
    current: Option<Py<PyDict>>,
    ready: RefCell<Option<Ready>>,
}

/// A task that has not taken its first step.
struct Ready {
    task: Py<PyAny>,
    begun: Py<Begun>,
    /// Takes the task's first step.
    step: Py<PyAny>,
    context: Context,
    name: Py<PyAny>,
    /// Whether `asyncio.all_tasks()` shows it: one that is kept is nobody's business.
    is_shown: bool,
    /// How many refer to the task while nobody else does.
    references: isize,
}

/// While it lives, a task is the current one.
struct Current<'s, 'py> {
    table: &'s Bound<'py, PyDict>,
    event_loop: &'s Bound<'py, PyAny>,
    outer: Option<Bound<'py, PyAny>>,
}

impl Steps {
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let module = py.import("ffext.steps")?;
        let table = module.getattr("current_tasks")?;
        Ok(Steps {
            event_loop: event_loop.clone().unbind(),
            prepare: module.getattr("prepare")?.unbind(),
            register: module.getattr("register")?.unbind(),
            unregister: module.getattr("unregister")?.unbind(),
            create_task: event_loop.getattr("create_task")?.unbind(),
            ensure_future: py.import("asyncio")?.getattr("ensure_future")?.unbind(),
            current: table.cast_into().ok().map(Bound::unbind),
            ready: RefCell::default(),
        })
    }

    /// A task that is ready, with a context like the thread's; `None` where there
    /// are none.
    fn take(&self, py: Python<'_>) -> PyResult<Option<Ready>> {
        if self.current.is_none() {
            return Ok(None);
        }
        let here = Context::copy_current(py)?;
        let kept = self.ready.take();
        if let Some(ready) = kept
            && ready.context.become_like(&here, variable(py)?)
        {
            return Ok(Some(ready));
        }
        let begun = Py::new(py, Begun::default())?;
        let prepared = self.prepare.bind(py).call1((&begun, here.object(py)))?;
        if prepared.is_none() {
            return Ok(None);
        }
        let prepared = prepared.cast_into::<PyTuple>()?;
        let task = prepared.get_item(0)?;
        let name = task.call_method0(intern!(py, "get_name"))?.unbind();
        let step = prepared.get_item(1)?.unbind();
        drop(prepared);
        Ok(Some(Ready {
            references: references(&task),
            task: task.unbind(),
            begun,
            step,
            context: here,
            name,
            is_shown: true,
        }))
    }

    /// Keeps a task for the next coroutine.
    fn keep(&self, ready: Ready) {
        let other = self.ready.replace(Some(ready));
        // Not under the borrow: it may end objects of the script.
        drop(other);
    }

    /// Makes a task the current one of the event loop, or none.
    fn make_current<'s, 'py>(
        table: &'s Bound<'py, PyDict>,
        event_loop: &'s Bound<'py, PyAny>,
        task: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Current<'s, 'py>> {
        let outer = match table.is_empty() {
            true => None,
            false => table.get_item(event_loop)?,
        };
        match (task, &outer) {
            (Some(task), _) => table.set_item(event_loop, task)?,
            (None, Some(_)) => table.del_item(event_loop)?,
            (None, None) => {}
        }
        Ok(Current {
            table,
            event_loop,
            outer,
        })
    }
}

impl Drop for Current<'_, '_> {
    fn drop(&mut self) {
        let restored = match &self.outer {
            Some(outer) => self.table.set_item(self.event_loop, outer),
            None => self.table.del_item(self.event_loop),
        };
        // There was none, and there is none.
        drop(restored);
    }
}

impl Ready {
    /// Takes the coroutine's first step as this task.
    fn first_step<'py>(&self, steps: &Steps, coroutine: &Bound<'py, PyAny>) -> PyResult<Sent<'py>> {
        let py = coroutine.py();
        let Some(table) = &steps.current else {
            return Ok(Sent::Raised(pyo3::exceptions::PyRuntimeError::new_err(
                "there are no tasks",
            )));
        };
        let (table, event_loop) = (table.bind(py), steps.event_loop.bind(py));
        let task = self.task.bind(py);
        let _current = Steps::make_current(table, event_loop, Some(task))?;
        Ok(self.context.run(py, || send(coroutine)))
    }

    /// Has the task take its own first step, which is prepared.
    fn step(&self, py: Python<'_>, steps: &Steps) -> PyResult<()> {
        let Some(table) = &steps.current else {
            return Ok(());
        };
        let (table, event_loop) = (table.bind(py), steps.event_loop.bind(py));
        let _none = Steps::make_current(table, event_loop, None)?;
        self.context.run(py, || {
            // What ends the interpreter is raised past the task that has it, too.
            let _ended = self.step.bind(py).call0();
        });
        Ok(())
    }

    /// Whether the task is as if it had never been used.
    fn is_untouched(&self, py: Python<'_>) -> bool {
        let task = self.task.bind(py);
        let is = |name, wanted: bool| {
            let value = task.getattr(name);
            value.is_ok_and(|value| value.is_truthy().is_ok_and(|value| value == wanted))
        };
        references(task) == self.references
            && !is_weakly_referred(task)
            && is(intern!(py, "_must_cancel"), false)
            && is(intern!(py, "_callbacks"), false)
    }

    /// Whether the next coroutine finds in it what every one finds.
    fn is_as_new(&self, py: Python<'_>) -> bool {
        let task = self.task.bind(py);
        let name = task.call_method0(intern!(py, "get_name"));
        name.is_ok_and(|name| name.is(&self.name)) && !has_attributes(task)
    }
}

impl Host {
    /// Takes the first step of what a function has returned, if that is to be
    /// awaited. What the function has taken is measured now.
    pub(crate) fn follow_up<'py>(
        &self,
        py: Python<'py>,
        result: PyResult<Bound<'py, PyAny>>,
        label: &Label,
    ) -> Outcome<'py> {
        let outcome = match result {
            Ok(value) if value.is_none() => Outcome::Done(Ok(value)),
            Ok(value) if is_coroutine(&value) => self.begin(&value, label),
            Ok(value) if is_awaitable(&value) => {
                match self.python.steps.ensure_future.bind(py).call1((value,)) {
                    Ok(task) => Outcome::Follows(task),
                    Err(error) => Outcome::Done(Err(error)),
                }
            }
            result => Outcome::Done(result),
        };
        self.measure(label);
        outcome
    }

    /// Takes the first step of a coroutine.
    fn begin<'py>(&self, coroutine: &Bound<'py, PyAny>, label: &Label) -> Outcome<'py> {
        let py = coroutine.py();
        let steps = &self.python.steps;
        let begun = steps.take(py).and_then(|ready| match ready {
            Some(ready) => {
                let outer = self.shared.activity.enter_within(label);
                let sent = ready.first_step(steps, coroutine);
                self.shared.activity.leave_to(outer);
                self.go_on(ready, coroutine, sent?, label)
            }
            None => {
                let task = steps.create_task.bind(py).call1((coroutine,))?;
                Ok(Outcome::Follows(task))
            }
        });
        begun.unwrap_or_else(|error| Outcome::Done(Err(error)))
    }

    /// A coroutine's first step has been taken.
    fn go_on<'py>(
        &self,
        mut ready: Ready,
        coroutine: &Bound<'py, PyAny>,
        sent: Sent<'py>,
        label: &Label,
    ) -> PyResult<Outcome<'py>> {
        let py = coroutine.py();
        let steps = &self.python.steps;
        let result = match sent {
            Sent::Yielded(what) => {
                let begun = ready.begun.bind(py);
                begun.get().hand_over(coroutine, what, label);
                let task = ready.task.bind(py);
                task.setattr(intern!(py, "_log_destroy_pending"), true)?;
                if !ready.is_shown {
                    steps.register.bind(py).call1((task,))?;
                }
                ready.step(py, steps)?;
                return Ok(Outcome::Goes(ready.task.into_bound(py)));
            }
            Sent::Returned(value) => Ok(value),
            Sent::Raised(error) => Err(error),
        };
        if ready.is_shown {
            steps.unregister.bind(py).call1((&ready.task,))?;
            ready.is_shown = false;
        }
        if ready.is_untouched(py) {
            if ready.is_as_new(py) {
                steps.keep(ready);
            }
            return Ok(Outcome::Done(result));
        }
        // Somebody has it, or waits for it, or has cancelled it.
        ready.begun.bind(py).get().end(result);
        ready.step(py, steps)?;
        Ok(Outcome::Goes(ready.task.into_bound(py)))
    }
}

/// Whether somebody has given an object attributes of its own.
fn has_attributes(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive; where its type says that it has a dict, there is a
    // pointer to that at this place, null until it is needed.
    let known = unsafe {
        let offset = (*ffi::Py_TYPE(object.as_ptr())).tp_dictoffset;
        (offset > 0).then(|| {
            !(*object
                .as_ptr()
                .byte_offset(offset)
                .cast::<*mut ffi::PyObject>())
            .is_null()
        })
    };
    known.unwrap_or_else(|| {
        let names = object.getattr(intern!(object.py(), "__dict__"));
        names.is_ok_and(|names| names.is_truthy().unwrap_or(true))
    })
}

/// How many refer to an object.
fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: the object is alive.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// Whether somebody has a weak reference to an object, as tables do in which
/// libraries keep what belongs to a task.
fn is_weakly_referred(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive; where its type says that it has a list of weak
    // references, there is a pointer to that at this place, null if it is empty.
    unsafe {
        let offset = (*ffi::Py_TYPE(object.as_ptr())).tp_weaklistoffset;
        offset > 0
            && !(*object
                .as_ptr()
                .byte_offset(offset)
                .cast::<*mut ffi::PyObject>())
            .is_null()
    }
}
