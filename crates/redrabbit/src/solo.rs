//! `redrabbit solo` and `redrabbit demo`: hands over to `redrabbit-solo`, the
//! program that has Python in it.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use crate::binaries::{BinaryError, find, own_folder};

/// The program that runs a whole group in one process.
const PROGRAM: &str = "redrabbit-solo";

/// The other program could not take over.
#[derive(Debug, thiserror::Error)]
pub enum SoloError {
    /// It is not there: it is built apart, with Python.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// It is there, and does not start.
    #[error("{PROGRAM} does not start: {0}")]
    Exec(io::Error),
}

/// Becomes `redrabbit-solo COMMAND ARGS…`; comes back only when that fails.
pub fn become_solo(command: &str, args: &[OsString]) -> SoloError {
    let program = match own_folder().and_then(|folder| find(&folder, PROGRAM, "solo")) {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    SoloError::Exec(Command::new(program).arg(command).args(args).exec())
}
