//! What scripts do with sessions.

use bytes::Bytes;
use protocol::v1::{CloseReason, Role};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyString},
};

use super::arguments::{find, read_channel, read_node, read_session};
use crate::{Action, script::host::current, script::leaves};

/// Ends the connection of a session. Its offline follows when the gate has done so;
/// what was sent to it before this arrives.
///
/// ```python
/// ffext.close_session(session_id)
/// ```
///
/// Returns whether the session is in this scene.
#[pyfunction]
pub(super) fn close_session(session_id: &Bound<'_, PyAny>) -> PyResult<bool> {
    let host = current()?;
    let Some(held) = find(&host, session_id)? else {
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

/// Sends a session to another scene, with `extra_data`, `bytes` or `str`, for that
/// scene's enter callback.
///
/// ```python
/// ffext.change_session_scene(session_id, 'scene@1', json.dumps({'hp': 5}))
/// ```
///
/// The session goes on as it is until the frames that its client has sent are
/// handled; then its leave callback runs here, and its enter callback there.
/// Returns whether that has been asked for: False if the session is not in this
/// scene or about to leave it, if it is to go where it is, or if there is no such
/// scene in the group.
#[pyfunction]
#[pyo3(signature = (session_id, to_scene, extra_data = None))]
pub(super) fn change_session_scene(
    session_id: &Bound<'_, PyAny>,
    to_scene: &Bound<'_, PyAny>,
    extra_data: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let py = session_id.py();
    let host = current()?;
    let session = read_session(session_id)?;
    let to_scene = read_node(to_scene, Role::Scene)?;
    let extra_data = extra_data.map_or(Ok(Bytes::new()), read_extra_data)?;
    if to_scene == host.name || host.shared.peers.scene(&to_scene).is_none() {
        return Ok(false);
    }
    let Some(held) = host.sessions.borrow_mut().ask(session) else {
        return Ok(false);
    };
    let change = Action::Change {
        gate: held.gate,
        login: held.login,
        holding: held.holding,
        to_scene: to_scene.to_string(),
        extra_data,
    };
    let is_on_its_way = host.send(py, change);
    if !is_on_its_way {
        host.sessions.borrow_mut().stay(held.gate, held.login);
    }
    Ok(is_on_its_way)
}

/// Has a session join a channel: text of at most 128 bytes, whatever the script
/// likes. It stays in it through changes of scene, until it leaves the channel or
/// ends.
///
/// ```python
/// ffext.join_channel(session_id, f'guild {guild.id}')
/// ```
///
/// Returns whether that is on its way: the session is in this scene, and there
/// was room for it.
#[pyfunction]
pub(super) fn join_channel(
    session_id: &Bound<'_, PyAny>,
    channel: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    change_membership(session_id, channel, false)
}

/// Has a session leave a channel. Returns what `join_channel()` does.
///
/// ```python
/// ffext.leave_channel(session_id, f'guild {guild.id}')
/// ```
#[pyfunction]
pub(super) fn leave_channel(
    session_id: &Bound<'_, PyAny>,
    channel: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    change_membership(session_id, channel, true)
}

fn change_membership(
    session_id: &Bound<'_, PyAny>,
    channel: &Bound<'_, PyAny>,
    leaves: bool,
) -> PyResult<bool> {
    let host = current()?;
    let channel = read_channel(channel)?;
    let Some(held) = find(&host, session_id)? else {
        return Ok(false);
    };
    let membership = Action::Membership {
        gate: held.gate,
        login: held.login,
        channel,
        leaves,
    };
    Ok(host.send(session_id.py(), membership))
}

fn read_extra_data(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    leaves::extra_data(value).map_err(|reason| {
        if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyString>() {
            PyValueError::new_err(reason)
        } else {
            PyTypeError::new_err(format!("{reason}; json.dumps() makes a str of most things"))
        }
    })
}
