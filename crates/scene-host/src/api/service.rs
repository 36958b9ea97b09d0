//! What scripts ask of other nodes.

use std::rc::Rc;

use protocol::{CallError, ErrorKind, GroupName, NodeName, envelope::MAX_BODY_BYTES};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyString},
};

use crate::{
    Action, Answer, Asked, Call, Callee, Wanted,
    script::caller::{current_caller, current_hops},
    script::host::{Host, current},
    script::services::{patience, write},
    values::body::Body,
};

/// Calls a service; what is returned gives its answer, read by `decoder`.
#[pyfunction]
pub(super) fn call_service<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyAny>,
    cmd: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    decoder: &Bound<'py, PyAny>,
    timeout: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let host = current()?;
    let name = read_name(name)?;
    // Only what it calls of itself can be told: other nodes would believe anybody.
    let hops = if name == host.name {
        current_hops(py)
    } else {
        0
    };
    call(
        &host,
        Callee::Node(name),
        hops,
        (cmd, message, decoder, timeout),
    )
}

/// Calls a service of another group, of the node of this name or, for None, of the one
/// that carries least; what is returned gives its answer, read by `decoder`.
#[pyfunction]
pub(super) fn bridge_call<'py>(
    py: Python<'py>,
    group: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
    cmd: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    decoder: &Bound<'py, PyAny>,
    timeout: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let host = current()?;
    let group = read_group(&host, group)?;
    let name = match name.is_none() {
        true => None,
        false => Some(read_name(name)?),
    };
    let callee = Callee::Group(group, name);
    call(
        &host,
        callee,
        current_hops(py),
        (cmd, message, decoder, timeout),
    )
}

/// What is called for, as the script says it: the command, the message, what decodes
/// the answer, the time.
type Order<'a, 'py> = (
    &'a Bound<'py, PyAny>,
    &'a Bound<'py, PyAny>,
    &'a Bound<'py, PyAny>,
    &'a Bound<'py, PyAny>,
);

fn call<'py>(
    host: &Rc<Host>,
    callee: Callee,
    hops: u32,
    (cmd, message, decoder, timeout): Order<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = cmd.py();
    let cmd = read_service(cmd)?;
    let timeout = if timeout.is_none() {
        host.times.call_timeout()
    } else {
        let seconds = timeout.extract::<f64>().ok().and_then(patience);
        seconds.ok_or_else(|| {
            PyValueError::new_err(format!(
                "a timeout is seconds, more than 0, not {timeout:?}"
            ))
        })?
    };
    let body = write(message)?;
    let answer_body = Body::from_decoder(decoder);
    let called = callee.clone();
    let convert = move |py: Python<'_>, answer: Answer| {
        let host = current()?;
        let body = match answer {
            Answer::Called(Ok(body)) => body,
            Answer::Called(Err(error)) => return Err(raised(&host, py, &error)),
            other => return Err(not_that(&other)),
        };
        match answer_body.read_or_none(py, &body, &host.keys) {
            Ok(value) => Ok(value.unbind()),
            Err(reason) => {
                let message = format!("the answer of {called} cannot be read: {reason}");
                let error = CallError::new(ErrorKind::Handler, message);
                Err(raised(&host, py, &error))
            }
        }
    };
    host.ask(py, convert, |asked| {
        if body.len() > MAX_BODY_BYTES {
            let length = body.len();
            let message =
                format!("a message of {length} bytes, at most {MAX_BODY_BYTES} are allowed");
            let error = CallError::new(ErrorKind::TooLarge, message);
            return answer(host, asked, Answer::Called(Err(error)));
        }
        let call = Action::Call(Call {
            callee,
            cmd,
            body,
            timeout,
            hops,
            asked: asked.clone(),
        });
        if !host.send(py, call) {
            answer(host, asked, Answer::Called(Err(no_room())));
        }
    })
}

/// Who calls the service that runs: an `ffext.services.Caller`, or None.
#[pyfunction]
pub(super) fn caller(py: Python<'_>) -> Option<Py<PyAny>> {
    current_caller(py)
}

/// Whether a node of this name is in the group and takes calls. Raises
/// `ValueError` for what is no name.
#[pyfunction]
pub(super) fn is_exist(name: &Bound<'_, PyAny>) -> PyResult<bool> {
    let name = read_name(name)?;
    let record = current()?.shared.peers.record(&name);
    Ok(record.is_some_and(|record| record.is_ready()))
}

/// Looks a node up; what is returned gives its `ffext.services.NodeInfo`, or None.
#[pyfunction]
pub(super) fn lookup<'py>(
    py: Python<'py>,
    name_or_role: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let host = current()?;
    let wanted = read_wanted(name_or_role)?;
    let convert = |py: Python<'_>, answer: Answer| match answer {
        Answer::Found(Ok(Some(record))) => {
            static NODE_INFO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let (version, hash) = record
                .script
                .as_ref()
                .map_or((0, ""), |script| (script.version, script.hash.as_str()));
            let word = |name: &str| {
                let word = name.rsplit_once('_').map_or(name, |(_, word)| word);
                word.to_ascii_lowercase()
            };
            let info = NODE_INFO.import(py, "ffext.services", "NodeInfo")?.call1((
                record.name.as_str(),
                word(record.role.as_str_name()),
                word(record.state.as_str_name()),
                record.load,
                version,
                hash,
            ))?;
            Ok(info.unbind())
        }
        Answer::Found(Ok(None)) => Ok(py.None()),
        Answer::Found(Err(error)) => Err(raised(&*current()?, py, &error)),
        other => Err(not_that(&other)),
    };
    host.ask(py, convert, |asked| {
        let find = Action::Find {
            wanted,
            asked: asked.clone(),
        };
        if !host.send(py, find) {
            answer(&host, asked, Answer::Found(Err(no_room())));
        }
    })
}

/// Answers without anybody else.
fn answer(host: &Host, asked: Asked, answer: Answer) {
    let inbox = host.shared.inbox.clone();
    let work = async move { answer };
    host.shared.runtime.spawn(asked.answer(inbox, work));
}

fn no_room() -> CallError {
    let message = "the network takes what the script sends too slowly";
    CallError::new(ErrorKind::Overloaded, message)
}

fn raised(host: &Host, py: Python<'_>, error: &CallError) -> PyErr {
    match host.call_error(py, error) {
        Ok(error) => PyErr::from_value(error),
        Err(failure) => failure,
    }
}

fn not_that(answer: &Answer) -> PyErr {
    PyTypeError::new_err(format!("another answer was expected than {answer:?}"))
}

/// The command of a service.
fn read_service(cmd: &Bound<'_, PyAny>) -> PyResult<u16> {
    if !cmd.is_instance_of::<PyBool>()
        && let Ok(cmd) = cmd.extract::<u16>()
    {
        return Ok(cmd);
    }
    Err(PyValueError::new_err(format!(
        "a service's cmd is a number from 0 to 65535, not {cmd:?}"
    )))
}

/// The name of another group.
fn read_group(host: &Host, group: &Bound<'_, PyAny>) -> PyResult<GroupName> {
    let text = group.cast::<PyString>().ok().map(|text| text.to_str());
    let text = text.transpose()?.unwrap_or_default();
    let name: GroupName = text.parse().map_err(|_| {
        PyValueError::new_err(format!(
            "a group's name is a str such as 'GroupB', not {group:?}"
        ))
    })?;
    if host.group.as_ref() == Some(&name) {
        return Err(PyValueError::new_err(format!(
            "{name} is this scene's own group; call_service() calls its nodes"
        )));
    }
    Ok(name)
}

/// The name of a node.
fn read_name(name: &Bound<'_, PyAny>) -> PyResult<NodeName> {
    let wrong =
        || PyValueError::new_err(format!("a node's name is such as 'scene@0', not {name:?}"));
    let text = name.cast::<PyString>().map_err(|_| wrong())?;
    text.to_str()?.parse().map_err(|_| wrong())
}

/// The name of a node, or what comes before the `@` of several.
fn read_wanted(wanted: &Bound<'_, PyAny>) -> PyResult<Wanted> {
    let text = wanted.cast::<PyString>().ok().map(|text| text.to_str());
    let text = text.transpose()?.unwrap_or_default();
    if text.contains('@') {
        return read_name(wanted).map(Wanted::Named);
    }
    // A role is what is one in a name.
    let named: Result<NodeName, _> = format!("{text}@0").parse();
    named.map(|_| Wanted::OfRole(text.to_owned())).map_err(|_| {
        PyValueError::new_err(format!(
            "a node's name, such as 'scene@0', or a role, such as 'scene', is looked up, not \
             {wanted:?}"
        ))
    })
}
