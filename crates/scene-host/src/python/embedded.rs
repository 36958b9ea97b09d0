//! The Python half of `ffext`, in the binary: no file has to be installed.

use std::ffi::CString;

use pyo3::{prelude::*, types::PyDict};

/// The package itself, and each module in it.
macro_rules! sources {
    ($($module:literal),*) => {
        [
            ("ffext", include_str!("../../python/ffext/__init__.py")),
            $((
                concat!("ffext.", $module),
                include_str!(concat!("../../python/ffext/", $module, ".py")),
            )),*
        ]
    };
}

/// Name and source.
const MODULES: [(&str, &str); 25] = sources![
    "asks",
    "classes",
    "codes",
    "database",
    "errors",
    "events",
    "faults",
    "host",
    "ids",
    "loading",
    "log",
    "merge",
    "messages",
    "outcome",
    "references",
    "registry",
    "services",
    "singletons",
    "snapshots",
    "sources",
    "steps",
    "tasks",
    "timers",
    "trial"
];

/// Lets the modules be imported like any other, and tracebacks show their lines.
const IMPORTER: &str = include_str!("../../python/importer.py");

/// Makes `import ffext` work.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let code = CString::new(IMPORTER)?;
    let importer = PyModule::from_code(py, &code, c"<ffext>/importer.py", c"_ffext_importer")?;
    let sources = PyDict::new(py);
    for (name, source) in MODULES {
        sources.set_item(name, source)?;
    }
    importer.getattr("install")?.call1((sources,))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_module_of_the_package_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/ffext");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".py").map(|stem| format!("ffext.{stem}")))
            .map(|name| name.replace(".__init__", ""))
            .collect();
        files.sort();
        assert_eq!(files, MODULES.map(|(name, _)| name.to_owned()));
    }
}
