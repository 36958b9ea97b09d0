//! What scripts may give, and what they are told of anything else.

use protocol::{NodeName, client, v1::Role};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBool, PyString},
};
use session::scene::Held;

use crate::{
    Parcel,
    network::delivery::{MAX_CHANNEL_BYTES, MAX_MESSAGE_BYTES},
    script::host::Host,
    values::body,
};

/// Where a session is, if it is in this scene.
pub(super) fn find(host: &Host, session_id: &Bound<'_, PyAny>) -> PyResult<Option<Held>> {
    if let Some((name, held)) = host.turn.get()
        && name == session_id.as_ptr().addr()
    {
        return Ok(Some(held));
    }
    let text = read_session(session_id)?;
    Ok(host.sessions.borrow().find(text))
}

/// The id of a session.
pub(super) fn read_session<'a>(session_id: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    session_id
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("a session id is a str, not {session_id:?}")))?
        .to_str()
}

/// A message for clients.
pub(super) fn read_parcel(
    cmd: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    latest: Option<&Bound<'_, PyAny>>,
) -> PyResult<Parcel> {
    Ok(Parcel {
        cmd: read_cmd(cmd)?,
        body: body::write(value, MAX_MESSAGE_BYTES)?,
        latest: latest.map_or(Ok(false), read_latest)?,
    })
}

fn read_latest(latest: &Bound<'_, PyAny>) -> PyResult<bool> {
    match latest.cast::<PyBool>() {
        Ok(flag) => Ok(flag.is_true()),
        Err(_) => Err(PyTypeError::new_err(format!(
            "latest is True or False, not {latest:?}"
        ))),
    }
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

/// The name of a channel.
pub(super) fn read_channel(channel: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = channel.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!(
            "a channel's name is a str, not {channel:?}; str() makes one of a number"
        ))
    })?;
    let text = text.to_str()?;
    if text.is_empty() || text.len() > MAX_CHANNEL_BYTES {
        return Err(PyValueError::new_err(format!(
            "a channel's name has 1 to {MAX_CHANNEL_BYTES} bytes, and this one {}",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

/// The name of a gate or a scene.
pub(super) fn read_node(name: &Bound<'_, PyAny>, role: Role) -> PyResult<NodeName> {
    let kind = match role {
        Role::Gate => "gate",
        _ => "scene",
    };
    let text = name.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!(
            "a {kind}'s name is a str such as '{kind}@0', not {name:?}"
        ))
    })?;
    let text = text.to_str()?;
    let parsed: Result<NodeName, _> = text.parse();
    parsed.map_err(|error| {
        PyValueError::new_err(format!(
            "a {kind}'s name is such as '{kind}@0', not {name:?}: {error}"
        ))
    })
}
