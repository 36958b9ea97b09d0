//! The one interpreter of the process: how it starts and how it ends.

use std::{
    ffi::{CStr, CString},
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, Ordering},
};

use pyo3::ffi;

use crate::{SceneError, api::_ffext};

/// The Python that this crate is linked with.
const EXECUTABLE: &str = env!("SCENE_PYTHON");

/// Python cannot be started a second time in one process.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// The right to start the interpreter of this process, given once.
#[derive(Debug)]
pub(crate) struct Claim(());

impl Claim {
    /// # Errors
    /// [`SceneError::AlreadyRunning`] for everyone but the first.
    pub(crate) fn take() -> Result<Self, SceneError> {
        if CLAIMED.swap(true, Ordering::AcqRel) {
            return Err(SceneError::AlreadyRunning);
        }
        Ok(Claim(()))
    }
}

/// Starts the interpreter; this thread is Python's main thread from now on and
/// holds the interpreter's lock.
///
/// It is isolated from the environment: no variable, no user folder and no other
/// Python on the path changes what it is. It installs no signal handlers and
/// writes no bytecode beside scripts. Without `with_site` the packages of the
/// system are not looked for, and nobody's are yet.
pub(crate) fn initialize(_claim: Claim, with_site: bool) -> Result<(), SceneError> {
    pyo3::append_to_inittab!(_ffext);
    let executable = CString::new(EXECUTABLE)
        .map_err(|_| SceneError::Python("its path holds a zero byte".to_owned()))?;
    // SAFETY: the claim says that no interpreter was started in this process.
    // Both structures are initialized by the functions that are made for that
    // before anything else touches them, and used as their documentation says.
    unsafe {
        let mut preconfig = MaybeUninit::<ffi::PyPreConfig>::uninit();
        ffi::PyPreConfig_InitIsolatedConfig(preconfig.as_mut_ptr());
        let mut preconfig = preconfig.assume_init();
        // Text files are UTF-8, whatever locale a service manager gives us.
        preconfig.utf8_mode = 1;
        check(ffi::Py_PreInitialize(&raw const preconfig))?;

        let mut config = MaybeUninit::<ffi::PyConfig>::uninit();
        ffi::PyConfig_InitIsolatedConfig(config.as_mut_ptr());
        let mut config = config.assume_init();
        config.write_bytecode = 0;
        config.site_import = with_site.into();
        let status = start(&mut config, &executable);
        ffi::PyConfig_Clear(&raw mut config);
        check(status)
    }
}

/// # Safety
/// `config` has been initialized, and no interpreter has been started.
unsafe fn start(config: &mut ffi::PyConfig, executable: &CStr) -> ffi::PyStatus {
    let config: *mut ffi::PyConfig = config;
    // SAFETY: `config` is valid for all of these; the fields that are set are
    // its own.
    unsafe {
        if !executable.is_empty() {
            for field in [
                &raw mut (*config).program_name,
                &raw mut (*config).executable,
            ] {
                let status = ffi::PyConfig_SetBytesString(config, field, executable.as_ptr());
                if ffi::PyStatus_Exception(status) != 0 {
                    return status;
                }
            }
        }
        ffi::Py_InitializeFromConfig(config)
    }
}

fn check(status: ffi::PyStatus) -> Result<(), SceneError> {
    // SAFETY: looks at a value.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    let reason = if status.err_msg.is_null() {
        "it says no reason".into()
    } else {
        // SAFETY: a status' message is a static text.
        unsafe { CStr::from_ptr(status.err_msg) }.to_string_lossy()
    };
    Err(SceneError::Python(format!("{reason} ({EXECUTABLE})")))
}

/// Ends the interpreter. No Python object may be used afterwards.
///
/// # Safety
/// This is the thread that called [`initialize`], it holds the interpreter's
/// lock outside of any `Python::attach`, and no thread runs Python code.
pub(crate) unsafe fn finalize() {
    // SAFETY: as the caller promises.
    if unsafe { ffi::Py_FinalizeEx() } != 0 {
        tracing::warn!("python could not write out everything at its end");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Once;

    use pyo3::prelude::*;

    use super::*;

    /// Runs with the interpreter, which unit tests share and never end.
    pub(crate) fn with_python<R>(run: impl for<'py> FnOnce(Python<'py>) -> R) -> R {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            initialize(Claim::take().unwrap(), true).unwrap();
            // SAFETY: this thread holds the lock, and gives it to the others.
            unsafe { ffi::PyEval_SaveThread() };
        });
        Python::attach(run)
    }

    #[test]
    fn python_is_the_one_that_is_linked_whatever_is_first_on_the_path() {
        with_python(|py| {
            let sys = py.import("sys").unwrap();
            let text = |name: &str| sys.getattr(name).unwrap().to_string();
            assert_eq!(text("executable"), EXECUTABLE);
            assert_eq!(text("prefix"), prefix_of_executable());
            let flags = sys.getattr("flags").unwrap();
            for (name, expected) in [
                ("isolated", 1),
                ("utf8_mode", 1),
                ("dont_write_bytecode", 1),
            ] {
                let flag: i32 = flags.getattr(name).unwrap().extract().unwrap();
                assert_eq!(flag, expected, "{name}");
            }
        });
    }

    /// What the executable says of itself.
    fn prefix_of_executable() -> String {
        let output = std::process::Command::new(EXECUTABLE)
            .args(["-I", "-c", "import sys; print(sys.prefix, end='')"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_interpreter_is_given_once() {
        with_python(|_| ());
        let error = Claim::take().unwrap_err();
        assert!(matches!(error, SceneError::AlreadyRunning));
        assert!(error.to_string().contains("process of its own"), "{error}");
    }
}
