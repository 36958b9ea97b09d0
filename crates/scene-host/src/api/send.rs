//! What scripts send to clients.
//!
//! Each of these takes `latest=True` for messages of which only the newest is of
//! use, such as where somebody stands: one that still waits for a slow client is
//! replaced by a newer one of the same cmd, instead of both being sent.

use std::collections::BTreeMap;

use protocol::{Login, NodeId, v1::Role};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyString};

use super::arguments::{find, read_channel, read_node, read_parcel};
use crate::{Action, Audience, network::delivery::logins_beside, script::host::current};

/// Sends a session a message: `bytes` as they are, messages of thrift and protobuf by
/// their types, anything else as JSON.
///
/// ```python
/// ffext.send_msg_session(session_id, 1, {'hp': 5})
/// ffext.send_msg_session(session_id, 2, [x, y], latest=True)
/// ```
///
/// `cmd` is a number from 1 to 65533. `latest=True` is for messages of which only the
/// newest is of use, where somebody stands say: it takes the place of an older one of
/// its cmd that still waits for a slow client.
///
/// Raises `TypeError` for what cannot be sent, and `ValueError` for what is no cmd or is
/// longer than 1,011,564 bytes.
///
/// Returns whether it is on its way: the session is in this scene, and there was
/// room for the message.
#[pyfunction]
#[pyo3(signature = (session_id, cmd, value, latest = None))]
pub(super) fn send_msg_session(
    session_id: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let host = current()?;
    let parcel = read_parcel(cmd, value, latest)?;
    let Some(held) = find(&host, session_id)? else {
        return Ok(false);
    };
    let send = Action::Send {
        gate: held.gate,
        login: held.login,
        parcel,
    };
    Ok(host.send(value.py(), send))
}

/// Sends several sessions one message; crosses to each gate once, or, to very
/// many sessions, as often as their logins do not fit beside it. The rest is as with
/// `send_msg_session()`.
///
/// ```python
/// ffext.multi_send_msg_session(room.members, 1, 'the door opens')
/// ```
///
/// Returns to how many it is on its way; those that are not in this scene are
/// left out.
#[pyfunction]
#[pyo3(signature = (session_ids, cmd, value, latest = None))]
pub(super) fn multi_send_msg_session(
    session_ids: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<usize> {
    let host = current()?;
    if session_ids.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "multi_send_msg_session() takes several session ids; for one there is \
             send_msg_session()",
        ));
    }
    let parcel = read_parcel(cmd, value, latest)?;
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
        for logins in logins.chunks(logins_beside(parcel.body.len())) {
            let deliver = Action::Deliver {
                gate,
                logins: logins.to_vec(),
                parcel: parcel.clone(),
            };
            if !host.send(value.py(), deliver) {
                return Ok(sent);
            }
            sent += logins.len();
        }
    }
    Ok(sent)
}

/// Sends every client of the group a message, whichever scene it is in; crosses to each
/// gate once. The rest is as with `send_msg_session()`.
///
/// ```python
/// ffext.broadcast_msg_session(1, 'the server restarts in five minutes')
/// ```
///
/// Returns whether it is on its way.
#[pyfunction]
#[pyo3(signature = (cmd, value, latest = None))]
pub(super) fn broadcast_msg_session(
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    broadcast(Audience::Group, cmd, value, latest)
}

/// Sends every client of a gate a message. The rest is as with `send_msg_session()`.
///
/// ```python
/// ffext.broadcast_msg_gate('gate@0', 1, 'this gate closes in five minutes')
/// ```
///
/// Returns whether it is on its way: the gate is in the group, and there was room
/// for the message.
#[pyfunction]
#[pyo3(signature = (gate_name, cmd, value, latest = None))]
pub(super) fn broadcast_msg_gate(
    gate_name: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let gate = current()?
        .shared
        .peers
        .gate(&read_node(gate_name, Role::Gate)?);
    let Some(gate) = gate else {
        // What is wrong with the message is said in any case.
        return read_parcel(cmd, value, latest).map(|_| false);
    };
    broadcast(Audience::Gate(gate), cmd, value, latest)
}

/// Sends everybody who has joined a channel a message, whichever scene they are
/// in; crosses to each gate once. The rest is as with `send_msg_session()`.
///
/// ```python
/// ffext.send_channel('guild 7', 1, {'from': session_id, 'text': text})
/// ```
///
/// Returns whether it is on its way.
#[pyfunction]
#[pyo3(signature = (channel, cmd, value, latest = None))]
pub(super) fn send_channel(
    channel: &Bound<'_, PyAny>,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let audience = Audience::Channel(read_channel(channel)?);
    broadcast(audience, cmd, value, latest)
}

fn broadcast(
    audience: Audience,
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let host = current()?;
    let parcel = read_parcel(cmd, value, latest)?;
    Ok(host.send(value.py(), Action::Broadcast { audience, parcel }))
}
