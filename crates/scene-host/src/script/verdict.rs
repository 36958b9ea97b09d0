//! What a verify callback's answer means.

use bytes::Bytes;
use metrics::counter;
use protocol::{NodeName, SessionId};
use pyo3::{
    prelude::*,
    types::{PyBool, PyList, PyString, PyTuple},
};
use tracing::error;

use crate::{
    Verdict, network::delivery::MAX_MESSAGE_BYTES, observe::activity::Label,
    observe::report::is_news, values::body,
};

/// What the script has said of a client.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Accepted {
        session: SessionId,
        reply: Bytes,
        gate: Option<NodeName>,
    },
    Refused,
}

/// The verdict that the value returned by a verify callback means; no value
/// is a callback that has failed, which has been reported.
pub(crate) fn verdict(label: &Label, value: Option<&Bound<'_, PyAny>>) -> Verdict {
    let answer = value.map_or(Err(None), |value| read(value).map_err(Some));
    let (outcome, verdict) = match answer {
        Ok(Answer::Accepted {
            session,
            reply,
            gate,
        }) => {
            let accepted = Verdict::Accepted {
                session,
                reply,
                gate,
            };
            ("accepted", accepted)
        }
        Ok(Answer::Refused) => ("refused", Verdict::Refused("refused".to_owned())),
        Err(nonsense) => {
            if let Some(reason) = nonsense
                && is_news("verify", label, &reason)
            {
                error!(target: "script", handler = %label, reason, "verify returned nonsense");
            }
            ("failed", Verdict::Refused("verification failed".to_owned()))
        }
    };
    counter!("redrabbit_verifications_total", "outcome" => outcome).increment(1);
    verdict
}

/// `[session_id]`, `[session_id, reply]` or `[session_id, reply, gate]` lets in; `[]`, None
/// and False do not; anything else is a mistake of the script.
fn read(value: &Bound<'_, PyAny>) -> Result<Answer, String> {
    if value.is_none() || value.cast::<PyBool>().is_ok_and(|flag| !flag.is_true()) {
        return Ok(Answer::Refused);
    }
    let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    let items: Vec<Bound<'_, PyAny>> = match is_list.then(|| value.extract()) {
        Some(Ok(items)) => items,
        _ => {
            return Err(format!(
                "expected a list of the session's id and a reply, found {}",
                shown(value)
            ));
        }
    };
    let (session, reply, gate) = match items.as_slice() {
        [] => return Ok(Answer::Refused),
        [session] => (session, None, None),
        [session, reply] => (session, Some(reply), None),
        [session, reply, gate] => (session, Some(reply), Some(gate)),
        _ => {
            return Err(format!(
                "expected one to three elements, found {}",
                items.len()
            ));
        }
    };
    let session = session
        .cast::<PyString>()
        .map_err(|_| {
            format!(
                "expected a text as the session's id, found {}",
                shown(session)
            )
        })?
        .to_str()
        .map_err(|_| "the session's id is no Unicode".to_owned())?
        .parse::<SessionId>()
        .map_err(|error| error.to_string())?;
    let reply = reply.map_or(Ok(Bytes::new()), write_reply)?;
    if reply.len() > MAX_MESSAGE_BYTES {
        return Err(format!(
            "expected a reply of at most {MAX_MESSAGE_BYTES} bytes, found {}",
            reply.len()
        ));
    }
    Ok(Answer::Accepted {
        session,
        reply,
        gate: gate.map_or(Ok(None), read_gate)?,
    })
}

/// A gate's name, or None for whichever.
fn read_gate(gate: &Bound<'_, PyAny>) -> Result<Option<NodeName>, String> {
    if gate.is_none() {
        return Ok(None);
    }
    let name = gate.cast::<PyString>().ok();
    let name = name.and_then(|name| name.to_str().ok()?.parse::<NodeName>().ok());
    name.map(Some).ok_or_else(|| {
        format!(
            "expected a gate's name, such as \"gate@1\", as the third element, found {}",
            shown(gate)
        )
    })
}

/// Text goes as it is, None is nothing, anything else is what it is as a message.
fn write_reply(reply: &Bound<'_, PyAny>) -> Result<Bytes, String> {
    if reply.is_none() {
        return Ok(Bytes::new());
    }
    if let Ok(text) = reply.cast::<PyString>() {
        let text = text.to_str().map_err(|_| "the reply is no Unicode")?;
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    body::write(reply, usize::MAX).map_err(|error| format!("the reply {}", error.value(reply.py())))
}

/// A value in a message: what it looks like, or what it is.
fn shown(value: &Bound<'_, PyAny>) -> String {
    match value.repr() {
        Ok(text) => text.to_string_lossy().chars().take(80).collect(),
        Err(_) => "a value that cannot be shown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::python::interpreter::tests::with_python;

    fn answer(source: &str) -> Result<Answer, String> {
        with_python(|py| {
            let source = CString::new(source).unwrap();
            read(&py.eval(&source, None, None).unwrap())
        })
    }

    #[test]
    fn a_list_or_tuple_with_an_id_lets_in() {
        for (source, reply) in [
            ("['ann']", ""),
            ("('ann',)", ""),
            ("['ann', None]", ""),
            ("['ann', 'text \u{20ac}']", "text €"),
            ("['ann', b'bytes']", "bytes"),
            ("['ann', {'gate': 1}]", "{\"gate\":1}"),
            ("('ann', [1])", "[1]"),
        ] {
            let expected = Answer::Accepted {
                session: "ann".parse().unwrap(),
                reply: Bytes::copy_from_slice(reply.as_bytes()),
                gate: None,
            };
            assert_eq!(answer(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_third_element_names_the_gate() {
        for (source, gate) in [
            ("['ann', None, 'gate@1']", Some("gate@1")),
            ("('ann', 'hello', 'gate@0')", Some("gate@0")),
            ("['ann', 'hello', None]", None),
        ] {
            let Ok(Answer::Accepted { gate: named, .. }) = answer(source) else {
                panic!("{source} was not taken");
            };
            assert_eq!(named.as_ref().map(NodeName::as_str), gate, "{source}");
        }
    }

    #[test]
    fn nothing_turns_away() {
        for source in ["[]", "()", "None", "False"] {
            assert_eq!(answer(source), Ok(Answer::Refused), "{source}");
        }
    }

    #[test]
    fn nonsense_is_told_from_a_refusal() {
        for source in [
            "True",
            "0",
            "1",
            "''",
            "'ann'",
            "b'ann'",
            "{}",
            "{'ann'}",
            "[None]",
            "[1]",
            "['']",
            "[b'ann']",
            "['x' * 129]",
            "['ann', 'a', 'b']",
            "['ann', 'a', 1]",
            "['ann', 'a', '\\ud800']",
            "['ann', 'a', 'gate@1', 'b']",
            "['ann', object()]",
            "['\\ud800']",
            "['ann', '\\ud800']",
            "[['ann']]",
            "['ann', bytes(1 << 20)]",
            "object()",
            "type('T', (), {'__repr__': lambda self: 1 / 0})()",
        ] {
            assert!(answer(source).is_err(), "{source} was taken");
        }
    }
}
