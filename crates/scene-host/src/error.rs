//! Why a scene does not start.

use std::io;

use crate::python::venv::BadVenv;

/// Why a scene does not start. None of these is mended by trying again in the
/// same process; a script that does not load is none of them.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// This process has started a scene before.
    #[error(
        "this process has started a scene already: one process runs one Python \
         interpreter, and one scene; start the other scene in a process of its own"
    )]
    AlreadyRunning,
    /// Python does not start.
    #[error("python does not start: {0}")]
    Python(String),
    /// The script's virtual environment cannot be used.
    #[error(transparent)]
    Venv(#[from] BadVenv),
    /// The system has no thread or wake-up to give.
    #[error("the system refuses what a scene needs")]
    System(#[from] io::Error),
}
