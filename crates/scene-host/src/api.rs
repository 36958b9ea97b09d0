//! `_ffext`: the native half of the Python package.

mod arguments;
mod graft;
mod log;
mod register;
mod send;
mod session;

use pyo3::prelude::*;

/// What the modules of `ffext` are built on. Scripts import `ffext`.
#[pymodule]
pub(crate) mod _ffext {
    #[pymodule_export]
    use super::graft::graft;
    #[pymodule_export]
    use super::log::{log, log_level};
    #[pymodule_export]
    use super::register::{check_thread, entered, failed, install, left, load_failed, loaded};
    #[pymodule_export]
    use super::send::{
        broadcast_msg_gate, broadcast_msg_session, multi_send_msg_session, send_channel,
        send_msg_session,
    };
    #[pymodule_export]
    use super::session::{change_session_scene, close_session, join_channel, leave_channel};
}
