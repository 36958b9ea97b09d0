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

    /// Whether both hold the same objects: not equal ones, which are another's.
    pub(crate) fn is_like(&self, py: Python<'_>, other: &Context) -> bool {
        let (own, other) = (self.0.bind(py), other.0.bind(py));
        let is_like = || -> PyResult<bool> {
            let count = own.len()?;
            if count != other.len()? {
                return Ok(false);
            }
            if count == 0 {
                return Ok(true);
            }
            for variable in own.try_iter()? {
                let variable = variable?;
                if !own.get_item(&variable)?.is(&other.get_item(&variable)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        // A variable that only one of them has.
        is_like().unwrap_or(false)
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

    /// Does `work` in a copy of this context. A copy shares what it was copied
    /// from until it is written to, and so costs little.
    pub(crate) fn run_in_copy<R>(&self, py: Python<'_>, work: impl FnOnce() -> R) -> R {
        // SAFETY: it is a context; gives a new reference, or null and an
        // exception.
        let copy = unsafe {
            let copy = ffi::PyContext_Copy(self.0.as_ptr());
            Bound::from_owned_ptr_or_err(py, copy)
        };
        // There is none without memory for it; then there is work to do still.
        let copy = copy.ok();
        let _entered = copy.as_ref().and_then(Entered::enter);
        work()
    }
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
