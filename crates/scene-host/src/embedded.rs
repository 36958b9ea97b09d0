//! The Python half of `ffext`, in the binary: no file has to be installed.

use std::ffi::CString;

use pyo3::{prelude::*, types::PyDict};

/// Module, whether it is a package, source.
const MODULES: [(&str, bool, &str); 10] = [
    ("ffext", true, include_str!("../python/ffext/__init__.py")),
    (
        "ffext.classes",
        false,
        include_str!("../python/ffext/classes.py"),
    ),
    ("ffext.host", false, include_str!("../python/ffext/host.py")),
    (
        "ffext.loading",
        false,
        include_str!("../python/ffext/loading.py"),
    ),
    ("ffext.log", false, include_str!("../python/ffext/log.py")),
    (
        "ffext.merge",
        false,
        include_str!("../python/ffext/merge.py"),
    ),
    (
        "ffext.references",
        false,
        include_str!("../python/ffext/references.py"),
    ),
    (
        "ffext.registry",
        false,
        include_str!("../python/ffext/registry.py"),
    ),
    (
        "ffext.singletons",
        false,
        include_str!("../python/ffext/singletons.py"),
    ),
    (
        "ffext.timers",
        false,
        include_str!("../python/ffext/timers.py"),
    ),
];

/// Lets the modules be imported like any other, and tracebacks show their lines.
const IMPORTER: &str = include_str!("../python/importer.py");

/// Makes `import ffext` work.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let code = CString::new(IMPORTER)?;
    let importer = PyModule::from_code(py, &code, c"<ffext>/importer.py", c"_ffext_importer")?;
    let sources = PyDict::new(py);
    for (name, is_package, source) in MODULES {
        sources.set_item(name, (is_package, source))?;
    }
    importer.getattr("install")?.call1((sources,))?;
    Ok(())
}
