//! How a drain goes, told as it does: to people, or to programs.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use protocol::NodeName;
use serde_json::{Value, json};

use super::target::Target;

/// Who tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    json: bool,
}

impl Voice {
    pub(super) fn new(json: bool) -> Voice {
        Voice { json }
    }

    /// The node drains: it has so many sessions, which go to a scene, or nowhere.
    pub(super) fn drains(
        self,
        target: &Target,
        sessions: u64,
        to: Option<&NodeName>,
        gates: &[&str],
    ) {
        if self.json {
            return say_value(&json!({
                "event": "drains",
                "node": target.name.as_str(),
                "sessions": sessions,
                "to": to.map(NodeName::as_str),
                "closes_logins_at": gates,
            }));
        }
        let name = &target.name;
        let where_to = match to {
            Some(scene) => format!("; they go to {scene}"),
            None if target.is_scene() => format!("; they are held until {name} is back"),
            None => String::new(),
        };
        say(&format!("{name} drains: {}{where_to}", counted(sessions)));
        for gate in gates {
            say(&format!(
                "note: nobody can log in at {gate} until {name} is back"
            ));
        }
    }

    /// So many sessions are left after so long.
    pub(super) fn waits(self, target: &Target, time: Duration, sessions: u64) {
        let seconds = time.as_secs();
        match self.json {
            true => say_value(&json!({
                "event": "waits",
                "node": target.name.as_str(),
                "seconds": seconds,
                "sessions": sessions,
            })),
            false => say(&format!("{seconds:>4} s  {} left", counted(sessions))),
        }
    }

    /// The directory does not have it any more.
    pub(super) fn left(self, target: &Target, time: Duration) {
        let seconds = time.as_secs_f64();
        match self.json {
            true => say_value(&json!({
                "event": "left",
                "node": target.name.as_str(),
                "seconds": (seconds * 1000.0).round() / 1000.0,
            })),
            false => say(&format!(
                "{} has left the group after {seconds:.1} s",
                target.name
            )),
        }
    }
}

fn counted(sessions: u64) -> String {
    match sessions {
        1 => "1 session".to_owned(),
        _ => format!("{sessions} sessions"),
    }
}

fn say_value(value: &Value) {
    say(&value.to_string());
}

/// A reader that has gone away has seen enough.
fn say(line: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
