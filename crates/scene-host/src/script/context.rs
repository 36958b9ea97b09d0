//! The context variables that functions of the script see.
//!
//! The script is loaded in one context, and whatever it is called for later runs
//! in a copy of that. So what the script sets while it is loaded is seen
//! everywhere, and what a handler sets only by itself and by the timers and
//! tasks that it begins.

use pyo3::{ffi, prelude::*};

/// A context, as Python's `contextvars` has them.
pub(crate) struct Context(Py<PyAny>);

/// While it lives, this is the thread's context.
struct Entered<'c, 'py>(&'c Bound<'py, PyAny>);

impl Context {
    /// A copy of the one that the thread is in.
    pub(crate) fn copy_current(py: Python<'_>) -> PyResult<Self> {
        // SAFETY: gives a new reference, or null and an exception.
        let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) };
        context.map(|context| Context(context.unbind()))
    }

    /// Whether both hold the same objects: not equal ones, which are another's. Of
    /// `variable` the other's value is taken over, if all else is the same.
    pub(crate) fn become_like(&self, other: &Context, variable: &Bound<'_, PyAny>) -> bool {
        let py = variable.py();
        let (own, other) = (self.0.bind(py), other.0.bind(py));
        let become_like = || -> PyResult<bool> {
            let (count, others) = (own.len()?, other.len()?);
            if count == 0 && others == 0 {
                return Ok(true);
            }
            let (value, wanted) = (value_in(own, variable)?, value_in(other, variable)?);
            if count - usize::from(value.is_some()) != others - usize::from(wanted.is_some()) {
                return Ok(false);
            }
            for one in own.try_iter()? {
                let one = one?;
                if !one.is(variable) && !own.get_item(&one)?.is(&other.get_item(&one)?) {
                    return Ok(false);
                }
            }
            let is_same = match (&value, &wanted) {
                (Some(value), Some(wanted)) => value.is(wanted),
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                let wanted = wanted.unwrap_or_else(|| py.None().into_bound(py));
                self.run(py, || set(variable, &wanted))?;
            }
            Ok(true)
        };
        // A variable that only one of them has.
        become_like().unwrap_or(false)
    }

    /// A copy of this context: it shares what it was copied from until it is written
    /// to, and so costs little.
    pub(crate) fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        // SAFETY: it is a context; gives a new reference, or null and an exception.
        let copy = unsafe {
            let copy = ffi::PyContext_Copy(self.0.as_ptr());
            Bound::from_owned_ptr_or_err(py, copy)
        };
        copy.map(|copy| Context(copy.unbind()))
    }

    /// A copy of this context in which a variable has this value.
    pub(crate) fn with(
        &self,
        variable: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let copy = self.copy(variable.py())?;
        copy.run(variable.py(), || set(variable, value))?;
        Ok(copy)
    }

    /// The object.
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.0.bind(py)
    }

    /// Does `work` in this context. Work that is begun by such work is done in
    /// the context that it finds.
    pub(crate) fn run<R>(&self, py: Python<'_>, work: impl FnOnce() -> R) -> R {
        let _entered = Entered::enter(self.0.bind(py));
        work()
    }

    /// Does `work` in a [`copy`](Context::copy) of this context.
    pub(crate) fn run_in_copy<R>(&self, py: Python<'_>, work: impl FnOnce() -> R) -> R {
        // There is none without memory for it; then there is work to do still.
        let copy = self.copy(py).ok();
        let _entered = copy
            .as_ref()
            .and_then(|copy| Entered::enter(copy.0.bind(py)));
        work()
    }
}

/// What a variable has been set to in a context.
fn value_in<'py>(
    context: &Bound<'py, PyAny>,
    variable: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match context.contains(variable)? {
        true => context.get_item(variable).map(Some),
        false => Ok(None),
    }
}

/// Sets a variable in the thread's context.
fn set(variable: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: a context variable and an object; gives a new reference, or null and an
    // exception.
    let token = unsafe {
        let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
        Bound::from_owned_ptr_or_err(variable.py(), token)
    };
    token.map(drop)
}

impl<'c, 'py> Entered<'c, 'py> {
    /// A context cannot be entered while it is entered already.
    fn enter(context: &'c Bound<'py, PyAny>) -> Option<Self> {
        // SAFETY: it is a context, of whichever constructor above.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
            let _already_entered = PyErr::take(context.py());
            return None;
        }
        Some(Entered(context))
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: it is a context, which this thread has entered; guards are
        // dropped in the reverse order, so that it is the one entered last.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            let _not_entered = PyErr::take(self.0.py());
        }
    }
}
