//! What a check has found.

use std::path::Path;

use serde::Serialize;
use topology::{Plan, TopologyError};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in a word.
    pub(super) check: &'static str,
    pub(super) status: Status,
    /// What was found.
    pub(super) text: String,
    /// What to do.
    pub(super) fix: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, or may.
    Warn,
    /// It does not work, or will not for long.
    Fail,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            check,
            status: Status::Ok,
            text: text.into(),
            fix: None,
        }
    }

    pub(super) fn warn(
        check: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding {
            check,
            status: Status::Warn,
            text: text.into(),
            fix: Some(fix.into()),
        }
    }

    pub(super) fn fail(
        check: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding {
            status: Status::Fail,
            ..Finding::warn(check, text, fix)
        }
    }
}

/// The first check of all.
const TOPOLOGY: &str = "topology";

pub(super) fn good_topology(file: &Path, plan: &Plan) -> Finding {
    let what = match plan {
        Plan::Group(topology) => {
            let nodes = topology.slaves.len() + topology.scenes.len() + topology.gates.len();
            format!("group {}, {}", topology.group, counted(nodes + 1, "node"))
        }
        Plan::Bridges(plan) => counted(plan.bridges.len(), "bridge"),
    };
    Finding::ok(TOPOLOGY, format!("{} is good: {what}", file.display()))
}

pub(super) fn wrong_topology(file: &Path, error: &TopologyError) -> Finding {
    let (text, file) = (error.to_string(), file.display());
    let fix = match text.to_lowercase().contains("permission denied") {
        true => "ask as root, or as a user who may read what the daemons read".to_owned(),
        false => format!("put it right; `redrabbit check {file}` says whether it is"),
    };
    Finding::fail(TOPOLOGY, text.trim_end(), fix)
}

/// "1 node", "2 nodes".
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
