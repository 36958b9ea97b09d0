//! A virtual environment: the packages that a script imports, in a folder.

use std::{
    ffi::CStr,
    fmt,
    path::{self, Path, PathBuf},
};

use pyo3::{ffi, prelude::*};

/// A virtual environment that suits the Python which runs here.
#[derive(Clone, Debug)]
pub(crate) struct Venv {
    folder: PathBuf,
}

/// Why a folder is not a virtual environment to use, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVenv {
    folder: PathBuf,
    problem: Problem,
    /// Of the Python that runs here, such as `3.11`.
    version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// It has no settings.
    IsNone,
    /// It is for another Python.
    MadeFor(String),
    /// It has no folder for this Python's packages.
    Without(String),
}

impl Venv {
    /// Looks at a folder; Python need not run.
    pub(crate) fn open(folder: &Path) -> Result<Self, BadVenv> {
        let folder = path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let version = python_version();
        match problem_of(&folder, &version) {
            None => Ok(Venv { folder }),
            Some(problem) => Err(BadVenv {
                folder,
                problem,
                version,
            }),
        }
    }

    /// Makes this interpreter the environment's, as its own `python` is: its
    /// packages are found, also those of `.pth` files, and the system's are not
    /// unless it was made so. Python has been started without `site`.
    pub(crate) fn activate(&self, py: Python<'_>) -> PyResult<()> {
        // Text, as it is with every Python, and no path object.
        let executable = self.folder.join("bin/python").into_os_string();
        // From here `site` finds the rest.
        py.import("sys")?.setattr("executable", executable)?;
        py.import("site")?.call_method0("main")?;
        Ok(())
    }
}

impl fmt::Display for BadVenv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, version) = (self.folder.display(), &self.version);
        write!(f, "venv {folder} cannot be used: ")?;
        match &self.problem {
            // It may be a folder of something else: nothing is to be cleared.
            Problem::IsNone => write!(
                f,
                "there is no pyvenv.cfg in it; make one with `python{version} -m venv {folder}`"
            ),
            Problem::MadeFor(other) => write!(
                f,
                "it was made for Python {other}, and the scene runs {version}; make it anew with \
                 `python{version} -m venv --clear {folder}`, and install its packages again"
            ),
            Problem::Without(packages) => write!(
                f,
                "there is no {packages} in it; make it anew with \
                 `python{version} -m venv --clear {folder}`, and install its packages again"
            ),
        }
    }
}

impl std::error::Error for BadVenv {}

/// Why a folder is no environment for a version of Python.
fn problem_of(folder: &Path, version: &str) -> Option<Problem> {
    let Ok(settings) = std::fs::read_to_string(folder.join("pyvenv.cfg")) else {
        return Some(Problem::IsNone);
    };
    if let Some(other) = made_for(&settings)
        && !is_of(other, version)
    {
        return Some(Problem::MadeFor(other.to_owned()));
    }
    let packages = format!("lib/python{version}/site-packages");
    let is_there = folder.join(&packages).is_dir();
    (!is_there).then_some(Problem::Without(packages))
}

/// The version that a `pyvenv.cfg` names: `venv` and `virtualenv` call it
/// differently.
fn made_for(settings: &str) -> Option<&str> {
    settings
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| matches!(key.trim(), "version" | "version_info"))
        .map(|(_, version)| version.trim())
}

/// Whether `3.11.2` is one of `3.11`.
fn is_of(full: &str, version: &str) -> bool {
    let parts = |text: &str| {
        text.split('.')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    parts(full) == parts(version)
}

/// Major and minor version of the Python that is linked.
fn python_version() -> String {
    // SAFETY: may be called before Python is started; a static text.
    let full = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) };
    let full = full.to_string_lossy();
    let mut parts = full.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        _ => full.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn environment(settings: &str, packages: &str) -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("pyvenv.cfg"), settings).unwrap();
        fs::create_dir_all(folder.path().join(packages)).unwrap();
        folder
    }

    #[test]
    fn an_environment_of_this_python_can_be_used() {
        let version = python_version();
        let packages = format!("lib/python{version}/site-packages");
        for settings in [
            format!("home = /usr/bin\nversion = {version}.9\n"),
            format!("version_info = {version}.0.final.0\nhome=/usr\n"),
            "home = /usr/bin\n".to_owned(),
        ] {
            let folder = environment(&settings, &packages);
            Venv::open(folder.path()).unwrap();
        }
    }

    #[test]
    fn a_folder_that_is_none_is_refused_with_what_to_do() {
        let version = python_version();
        let packages = format!("lib/python{version}/site-packages");
        let other = environment("version = 3.9.2\n", &packages);
        let hollow = environment("home = /usr/bin\n", "lib/python3.9/site-packages");
        let nothing = TempDir::new().unwrap();
        for (folder, reason, remedy) in [
            (
                other.path(),
                "made for Python 3.9.2, and the scene runs 3.",
                " --clear",
            ),
            (hollow.path(), "there is no lib/python3.", " --clear"),
            // What is not an environment may be something else that is dear.
            (nothing.path(), "there is no pyvenv.cfg in it", ""),
            (
                Path::new("/nowhere/at/all"),
                "there is no pyvenv.cfg in it",
                "",
            ),
        ] {
            let error = Venv::open(folder).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            let remedy = format!("`python{version} -m venv{remedy} {}`", folder.display());
            assert!(error.contains(&remedy), "{error}");
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_of("3.11.2", "3.11"));
        assert!(is_of("3.11", "3.11"));
        assert!(!is_of("3.1.1", "3.11"));
        assert!(!is_of("3.12.0", "3.11"));
        assert!(!is_of("", "3.11"));
    }
}
