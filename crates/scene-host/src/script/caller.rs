//! Who calls a service of the script.
//!
//! It stands in a context variable: the function that serves the call finds it, after
//! it has waited too, and so do the tasks and timers that it begins. What they call in
//! another group says how many bridges have been crossed until here, so that a circle
//! of groups that call each other comes to its end.

use std::{cell::RefCell, mem, ptr};

use ffrpc::Origin;
use foldhash::HashMap;
use protocol::NodeId;
use pyo3::{ffi, prelude::*, sync::PyOnceLock};

use crate::{script::context::Context, script::host::Host};

/// What the variable holds while a call is served.
#[pyclass(module = "ffext", frozen)]
pub(crate) struct Served {
    /// An `ffext.services.Caller`.
    caller: Py<PyAny>,
    hops: u32,
}

/// The contexts in which calls of the own group are served, by who calls: to copy one
/// costs what a copy of the script's own costs.
#[derive(Default)]
pub(crate) struct Callers(RefCell<HashMap<NodeId, Context>>);

impl Callers {
    /// How many there are at most; then they are made anew.
    const KEPT: usize = 1_024;

    fn copy(&self, py: Python<'_>, node: NodeId) -> Option<Context> {
        let contexts = self.0.borrow();
        contexts.get(&node)?.copy(py).ok()
    }

    fn keep(&self, node: NodeId, context: Context) {
        let full = {
            let mut contexts = self.0.borrow_mut();
            let full = (contexts.len() >= Self::KEPT).then(|| mem::take(&mut *contexts));
            contexts.insert(node, context);
            full
        };
        // Not under the borrow: it may end objects of the script.
        drop(full);
    }

    /// The script's own context has changed.
    pub(crate) fn forget(&self) {
        let kept = self.0.take();
        drop(kept);
    }
}

impl Host {
    /// A context of its own for a call that is served.
    pub(crate) fn context_of_call(
        &self,
        py: Python<'_>,
        source: NodeId,
        origin: Option<&Origin>,
        hops: u32,
    ) -> PyResult<Context> {
        let is_plain = origin.is_none() && hops == 0;
        if is_plain && let Some(context) = self.callers.copy(py, source) {
            return Ok(context);
        }
        let known = match origin {
            Some(_) => None,
            // The scene calls itself while it is in no group.
            None if source == NodeId::BROKER => Some(self.name.clone()),
            None => self.shared.peers.name(source),
        };
        let name = match (origin, &known) {
            (Some(origin), _) => origin.node.clone(),
            (None, Some(name)) => name.to_string(),
            (None, None) => source.to_string(),
        };
        let group = origin.map(|origin| origin.group.as_str());
        let caller = caller_class(py)?.call1((group, name))?.unbind();
        let served = Py::new(py, Served { caller, hops })?;
        let own = &self.python.context;
        let context = own.with(variable(py)?, served.bind(py).as_any())?;
        if is_plain && known.is_some() {
            self.callers.keep(source, context.copy(py)?);
        }
        Ok(context)
    }
}

/// The call because of which the script runs, if it is one.
fn served(py: Python<'_>) -> Option<Bound<'_, Served>> {
    let variable = variable(py).ok()?;
    let mut value = ptr::null_mut();
    // SAFETY: a context variable; what comes back is a new reference, or null where it
    // has no value.
    let value = unsafe {
        ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &raw mut value);
        Bound::from_owned_ptr_or_opt(py, value)
    };
    // A script can set it to what it likes, and deceives nobody but itself.
    value?.cast_into().ok()
}

/// Who that is: an `ffext.services.Caller`.
pub(crate) fn current_caller(py: Python<'_>) -> Option<Py<PyAny>> {
    served(py).map(|served| served.get().caller.clone_ref(py))
}

/// How many bridges have been crossed until here.
pub(crate) fn current_hops(py: Python<'_>) -> u32 {
    served(py).map_or(0, |served| served.get().hops)
}

/// The variable.
pub(crate) fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let variable = VARIABLE.get_or_try_init(py, || {
        // SAFETY: a name that lasts; a new reference, or null and an exception.
        unsafe {
            let variable = ffi::PyContextVar_New(c"ffext.caller".as_ptr(), ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, variable).map(Bound::unbind)
        }
    })?;
    Ok(variable.bind(py))
}

fn caller_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CALLER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CALLER.import(py, "ffext.services", "Caller")
}
