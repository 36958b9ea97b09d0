//! What scripts send to clients.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{Login, NodeId, client, v1::CloseReason};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyString},
};

use crate::{
    Action,
    delivery::{MAX_MESSAGE_BYTES, logins_beside},
    host::{Host, current},
    json,
    sessions::Held,
};

/// Sends a session a message: `bytes` as they are, anything else as JSON.
///
/// Returns whether it is on its way: the session is in this scene, and there was
/// room for the message.
#[pyfunction]
pub(super) fn send_msg_session(
    session_id: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let host = current()?;
    let (cmd, body) = (read_cmd(cmd)?, write_body(value)?);
    let held = find(&host, session_id)?;
    let Some(held) = held else {
        return Ok(false);
    };
    let deliver = Action::Deliver {
        gate: held.gate,
        logins: vec![held.login],
        cmd,
        body,
    };
    Ok(host.send(value.py(), deliver))
}

/// Sends several sessions one message; crosses to each gate once, or, to very
/// many sessions, as often as their logins do not fit beside it.
///
/// Returns to how many it is on its way; those that are not in this scene are
/// left out.
#[pyfunction]
pub(super) fn multi_send_msg_session(
    session_ids: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let host = current()?;
    if session_ids.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "multi_send_msg_session() takes several session ids; for one there is \
             send_msg_session()",
        ));
    }
    let (cmd, body) = (read_cmd(cmd)?, write_body(value)?);
    let mut gates: BTreeMap<NodeId, Vec<Login>> = BTreeMap::new();
    for session_id in session_ids.try_iter()? {
        let session_id = session_id?;
        if let Some(held) = find(&host, &session_id)? {
            gates.entry(held.gate).or_default().push(held.login);
        }
    }
    let mut sent = 0;
    for (gate, mut logins) in gates {
        // A session that is named twice gets the message once.
        logins.sort_unstable();
        logins.dedup();
        for logins in logins.chunks(logins_beside(body.len())) {
            let deliver = Action::Deliver {
                gate,
                logins: logins.to_vec(),
                cmd,
                body: body.clone(),
            };
            if !host.send(value.py(), deliver) {
                return Ok(sent);
            }
            sent += logins.len();
        }
    }
    Ok(sent)
}

/// Sends every client of the group a message; crosses to each gate once.
///
/// Returns whether it is on its way.
#[pyfunction]
pub(super) fn broadcast_msg_session(
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let host = current()?;
    let (cmd, body) = (read_cmd(cmd)?, write_body(value)?);
    Ok(host.send(value.py(), Action::Broadcast { cmd, body }))
}

/// Ends the connection of a session. Its offline follows when the gate has done so.
///
/// Returns whether the session is in this scene.
#[pyfunction]
pub(super) fn close_session(session_id: &Bound<'_, PyAny>) -> PyResult<bool> {
    let host = current()?;
    let held = find(&host, session_id)?;
    let Some(held) = held else {
        return Ok(false);
    };
    host.close(
        session_id.py(),
        held.gate,
        held.login,
        CloseReason::ClosedByScene,
    );
    Ok(true)
}

/// Where a session is, if it is in this scene.
fn find(host: &Host, session_id: &Bound<'_, PyAny>) -> PyResult<Option<Held>> {
    let text = session_id
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("a session id is a str, not {session_id:?}")))?;
    Ok(host.sessions.borrow().find(text.to_str()?))
}

/// A command that clients do not take for one of the gate's own.
fn read_cmd(cmd: &Bound<'_, PyAny>) -> PyResult<u16> {
    const LAST: u16 = client::CMD_PING - 2;
    match cmd.extract::<u16>() {
        Ok(number @ 1..=LAST) => Ok(number),
        _ => Err(PyValueError::new_err(format!(
            "a cmd is a number from 1 to {LAST}, not {cmd:?}"
        ))),
    }
}

fn write_body(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        check_length(bytes.len())?;
        return Ok(Bytes::copy_from_slice(bytes));
    }
    let mut out = Vec::with_capacity(128);
    json::encode(value, &mut out)?;
    check_length(out.len())?;
    Ok(out.into())
}

/// A longer message would get lost on its way to the gate, unseen by the script.
fn check_length(length: usize) -> PyResult<()> {
    if length > MAX_MESSAGE_BYTES {
        return Err(PyValueError::new_err(format!(
            "a message has at most {MAX_MESSAGE_BYTES} bytes, and this one {length}; send it in \
             parts"
        )));
    }
    Ok(())
}
