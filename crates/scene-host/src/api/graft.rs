//! Makes one function run as another.

use std::mem;

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    ffi,
    prelude::*,
    types::{PyDict, PyTuple},
};

/// Gives a function the code, the global names and the closure of another.
///
/// Python itself lets the code of a function be replaced, but neither its global
/// names nor its closure; without those, code that was run aside would see the
/// names of that run for ever, and a method could not begin to use `super()`.
#[pyfunction]
pub(super) fn graft(
    function: &Bound<'_, PyAny>,
    code: &Bound<'_, PyAny>,
    names: &Bound<'_, PyDict>,
    closure: Option<&Bound<'_, PyTuple>>,
) -> PyResult<()> {
    let py = function.py();
    // SAFETY: looks at the type of a live object.
    if unsafe { ffi::PyFunction_Check(function.as_ptr()) } == 0 {
        return Err(PyTypeError::new_err("graft() takes a function"));
    }
    let free: usize = code.getattr("co_freevars")?.len()?;
    let cells = closure.map_or(0, PyTupleMethods::len);
    if free != cells {
        return Err(PyValueError::new_err(format!(
            "the code has {free} free variables, the closure {cells}"
        )));
    }
    if let Some(closure) = closure {
        for cell in closure.iter() {
            // SAFETY: looks at the type of a live object.
            if unsafe { ffi::PyCell_Check(cell.as_ptr()) } == 0 {
                return Err(PyTypeError::new_err("a closure is made of cells"));
            }
        }
    }
    let new_closure = closure.map(|closure| closure.clone().into_any().unbind());
    let new_closure = new_closure.map_or(std::ptr::null_mut(), Py::into_ptr);
    let new_names = names.clone().into_any().unbind().into_ptr();

    // SAFETY: `function` is a function object, checked above, and this thread
    // holds the interpreter's lock, so that nobody else reads or writes these
    // fields. Both take and give one reference. Frames that run took what they
    // need of the closure when they began. The names are different: frames
    // borrow them from the function, so that what it had is never given back;
    // callers empty a dict that is of no further use. Until the code is set
    // below, nothing runs that could call the function.
    let old_closure = unsafe {
        let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
        let old_names = mem::replace(&mut (*raw).func_globals, new_names);
        if old_names == new_names {
            ffi::Py_DECREF(old_names);
        }
        mem::replace(&mut (*raw).func_closure, new_closure)
    };
    // Also tells the interpreter to forget what it has learned of the function.
    let set = function.setattr("__code__", code);
    // SAFETY: gives back the reference that the function held; null is none.
    drop(unsafe { Bound::from_owned_ptr_or_opt(py, old_closure) });
    set
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::python::interpreter::tests::with_python;
    use pyo3::{prelude::*, types::PyDict};

    /// The tests of reload, with functions grafted here and not by their
    /// stand-in.
    #[test]
    fn the_python_package_passes_its_tests_with_the_native_graft() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        with_python(|py| {
            let names = PyDict::new(py);
            names.set_item("folder", folder.to_str()).unwrap();
            py.run(
                c"
import io, os, sys, unittest
sys.path.insert(0, folder)
suite = unittest.defaultTestLoader.discover(os.path.join(folder, 'tests'), top_level_dir=folder)
report = io.StringIO()
passed = unittest.TextTestRunner(report).run(suite).wasSuccessful()
from tests import fake_host
is_native = fake_host.graft is not fake_host.graft_with_ctypes
report = report.getvalue()
",
                Some(&names),
                None,
            )
            .unwrap();
            let get = |name| names.get_item(name).unwrap().unwrap();
            assert!(get("is_native").is_truthy().unwrap());
            assert!(get("passed").is_truthy().unwrap(), "{}", get("report"));
        });
    }

    #[test]
    fn what_is_no_function_and_what_does_not_fit_is_refused() {
        with_python(|py| {
            let names = PyDict::new(py);
            py.run(
                c"
from _ffext import graft
def outer(x):
    def inner(): return x
    return inner
def plain(): return 'plain'
inner, other = outer(1), outer(2)
refused = []
for arguments in [
    (print, plain.__code__, {}, None),
    (plain, inner.__code__, {}, None),
    (plain, plain.__code__, {}, inner.__closure__),
    (plain, inner.__code__, {}, ('no cell',)),
    (plain, 'no code', {}, None),
    (plain, plain.__code__, None, None),
]:
    try:
        graft(*arguments)
    except (TypeError, ValueError, AttributeError) as error:
        refused.append(error)
assert plain() == 'plain' and inner() == 1
graft(plain, other.__code__, {}, other.__closure__)
assert plain() == 2
",
                Some(&names),
                None,
            )
            .unwrap();
            let refused = names.get_item("refused").unwrap().unwrap();
            assert_eq!(refused.len().unwrap(), 6, "{refused}");
        });
    }
}
