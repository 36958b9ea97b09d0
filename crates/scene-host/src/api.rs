//! `_ffext`: the native half of the Python package.

mod arguments;
mod database;
mod graft;
mod ids;
mod log;
mod message;
mod register;
mod send;
mod service;
mod session;

use pyo3::prelude::*;

/// What the modules of `ffext` are built on. Scripts import `ffext`.
#[pymodule]
pub(crate) mod _ffext {
    #[pymodule_export]
    use crate::database::Row;
    #[pymodule_export]
    use crate::script::steps::Begun;

    #[pymodule_export]
    use super::database::{NativeDatabase, NativeTransaction, open_database};
    #[pymodule_export]
    use super::graft::graft;
    #[pymodule_export]
    use super::ids::alloc_id;
    #[pymodule_export]
    use super::log::{log, log_level};
    #[pymodule_export]
    use super::message::{decode_json, encode};
    #[pymodule_export]
    use super::register::{
        begin, check_thread, entered, failed, failed_elsewhere, give_up, install, left,
        load_failed, loaded, own_files,
    };
    #[pymodule_export]
    use super::send::{
        broadcast_msg_gate, broadcast_msg_session, multi_send_msg_session, send_channel,
        send_msg_session,
    };
    #[pymodule_export]
    use super::service::{bridge_call, call_service, caller, is_exist, lookup};
    #[pymodule_export]
    use super::session::{change_session_scene, close_session, join_channel, leave_channel};
}
