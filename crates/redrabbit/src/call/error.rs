//! Why a call has brought no answer.

use std::io;

use daemon::Exit;
use protocol::{CallError, ErrorKind, GroupName, NodeName, method::SERVICE};

use crate::{names::printable, nodes::NodesError, operator::OperatorError};

/// There is no answer. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// The directory could not be had.
    #[error(transparent)]
    Directory(#[from] NodesError),
    /// The command is not let into the group.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Nobody can be called so.
    #[error(
        "`{given}` is neither a node (scene@0) nor a service (scene, for the one that carries \
         least), nor any"
    )]
    Target {
        /// What was given.
        given: String,
    },
    /// In other groups one node is called, or any.
    #[error("`{given}` of {group}: in another group call a node, such as scene@0, or any")]
    NoRoleThere {
        /// What was given.
        given: String,
        /// The other group.
        group: GroupName,
    },
    /// Nothing can be called so.
    #[error("`{}` cannot be called: {why}", printable(given))]
    Method {
        /// What was given.
        given: String,
        /// Why not.
        why: &'static str,
    },
    /// The body is not what it is said to be.
    #[error("the body is not {form}: {why}")]
    Body {
        /// What it should be.
        form: &'static str,
        /// What it is.
        why: String,
    },
    /// The body cannot be read.
    #[error("cannot read the body in {path}: {source}")]
    BodyFile {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The body is too large for any envelope.
    #[error("the body is larger than {limit} bytes, which is the most that a message can have")]
    TooLarge {
        /// The most.
        limit: usize,
    },
    /// The group has nobody who is meant.
    #[error("{}; what can be called there: {}", nobody(*kind, wanted, method, group), or_nothing(there))]
    Nobody {
        /// Whether there is nobody, or nobody who offers it.
        kind: ErrorKind,
        /// Who was wanted.
        wanted: String,
        /// What was to be called.
        method: String,
        /// The group.
        group: String,
        /// Who offers what.
        there: Vec<String>,
    },
    /// It is there, and takes no calls.
    #[error("{name} {state}: `redrabbit nodes` shows when it takes calls")]
    NotReady {
        /// The node.
        name: NodeName,
        /// Where it stands.
        state: &'static str,
    },
    /// It was called, and this came of it.
    #[error("{}", explained(called, method, source, offers))]
    Ended {
        /// Who was called.
        called: String,
        /// What.
        method: String,
        /// How it ended.
        source: CallError,
        /// What the node offers.
        offers: Vec<String>,
    },
    /// Ctrl-C.
    #[error("no longer waiting; what was called may be done all the same")]
    Interrupted,
}

impl CallFailure {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            CallFailure::Directory(error) => error.exit(),
            CallFailure::Operator(_) | CallFailure::Interrupted => Exit::Failure,
            CallFailure::Target { .. }
            | CallFailure::NoRoleThere { .. }
            | CallFailure::Method { .. }
            | CallFailure::BodyFile { .. } => Exit::Usage,
            CallFailure::Body { .. } | CallFailure::TooLarge { .. } => {
                Exit::Call(ErrorKind::TooLarge)
            }
            CallFailure::Nobody { kind, .. } => Exit::Call(*kind),
            CallFailure::NotReady { .. } => Exit::Call(ErrorKind::Unavailable),
            CallFailure::Ended { source, .. } => Exit::Call(source.kind),
        }
    }
}

/// What was called, as the command line has it.
fn shown(method: &str) -> &str {
    method.strip_prefix(SERVICE).unwrap_or(method)
}

fn nobody(kind: ErrorKind, wanted: &str, method: &str, group: &str) -> String {
    match kind {
        ErrorKind::NotFound => format!("there is no {wanted} in group {group}"),
        _ => format!("no {wanted} in group {group} offers {}", shown(method)),
    }
}

/// How a call ended and what to do about it.
fn explained(called: &str, method: &str, error: &CallError, offers: &[String]) -> String {
    let method = shown(method);
    let said = printable(&error.message);
    match error.kind {
        ErrorKind::Handler => format!("{called} answers with an error: {said}"),
        ErrorKind::NotFound => {
            format!("{called} was not found: {said}; `redrabbit nodes` prints who is there")
        }
        ErrorKind::Unimplemented => {
            format!("{called} has no {method} ({said}); what it offers: {}", {
                or_nothing(offers)
            })
        }
        ErrorKind::Unavailable | ErrorKind::NoRoute => format!(
            "{called} is not reached: {said}; it may have been done all the same, and `redrabbit \
             nodes` shows who is there"
        ),
        ErrorKind::DeadlineExceeded => format!(
            "{called} has not answered {method} in time: {said}; it may be done all the same, \
             --deadline gives it longer, and its log may say what it waits for"
        ),
        ErrorKind::Overloaded => {
            format!("there is no room for a call of {called}: {said}; try again later")
        }
        ErrorKind::TooLarge => format!("the message is too large: {said}"),
        ErrorKind::Forbidden => format!(
            "{called} may not be called with {method} from here: {said}; its group has to name it \
             in one of its [exports]"
        ),
    }
}

/// As many of a list as a line should have.
const TOLD: usize = 12;

/// "200, 210 and 3 more".
pub(super) fn briefly(words: &[String]) -> String {
    let told = words.iter().take(TOLD).map(String::as_str);
    let told: Vec<&str> = told.collect();
    match words.len().saturating_sub(TOLD) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

fn or_nothing(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        words => briefly(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_call_has_an_exit_code_of_its_own_and_says_what_to_do() {
        let ends = [
            (ErrorKind::Handler, 70, "answers with an error: why"),
            (ErrorKind::NotFound, 68, "`redrabbit nodes` prints"),
            (ErrorKind::Unimplemented, 76, "what it offers: 200"),
            (ErrorKind::Unavailable, 69, "may have been done"),
            (
                ErrorKind::DeadlineExceeded,
                124,
                "--deadline gives it longer",
            ),
            (ErrorKind::Overloaded, 75, "try again later"),
            (ErrorKind::TooLarge, 65, "too large"),
            (ErrorKind::Forbidden, 77, "[exports]"),
        ];
        for (kind, code, words) in ends {
            let failure = CallFailure::Ended {
                called: "scene@0".into(),
                method: "service.200".into(),
                source: CallError::new(kind, "why\u{1b}[2J"),
                offers: vec!["200".into()],
            };
            assert_eq!(failure.exit().code(), code);
            let said = failure.to_string();
            assert!(said.contains(words) && !said.contains('\u{1b}'), "{said}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let many: Vec<String> = (1..=15).map(|number| number.to_string()).collect();
        assert_eq!(
            briefly(&many),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more"
        );
    }
}
