//! What `apply` does, told as it does it: to people, or to programs.

use std::{
    io::{Write, stdout},
    path::Path,
};

use serde_json::{Value, json};
use topology::Changes;

use super::{ApplyError, steps::Step};
use crate::diff;

/// Who tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    json: bool,
}

impl Voice {
    pub(super) fn new(json: bool) -> Voice {
        Voice { json }
    }

    /// What changes against the file in force, if there is one.
    pub(super) fn compared(self, changes: Option<&Changes>, file: &Path, place: &Path) {
        let text = match changes {
            Some(changes) => diff::describe(changes, file, place),
            None => format!("{} was not there before", place.display()),
        };
        let changes = changes.map(|changes| {
            // What was just written is read again.
            serde_json::from_str::<Value>(&diff::json(changes)).unwrap_or_default()
        });
        let event = json!({
            "event": "compared",
            "file": file.display().to_string(),
            "against": place.display().to_string(),
            "changes": changes,
        });
        self.tell(text.trim_end_matches('\n'), &event);
    }

    /// The file is in its place.
    pub(super) fn written(self, place: &Path, backup: Option<&Path>) {
        let backup = backup.map(|backup| backup.display().to_string());
        let place = place.display().to_string();
        let text = match &backup {
            Some(backup) => format!("wrote {place}, kept {backup}"),
            None => format!("wrote {place}"),
        };
        self.tell(
            &text,
            &json!({ "event": "written", "file": place, "backup": backup }),
        );
    }

    /// The service manager is asked for it.
    pub(super) fn step(self, step: &Step) {
        let (verb, unit) = (step.verb.as_str(), &step.unit);
        let event = json!({ "event": "step", "verb": verb, "unit": unit });
        self.tell(&format!("{verb} {unit}"), &event);
    }

    /// The service manager is not asked for it.
    pub(super) fn skipped(self, step: &Step, why: &str) {
        let (verb, unit) = (step.verb.as_str(), &step.unit);
        let event = json!({ "event": "skipped", "verb": verb, "unit": unit, "why": why });
        self.tell(&format!("{unit} {why}"), &event);
    }

    /// The service manager has refused it.
    pub(super) fn failed(self, step: &Step, error: &ApplyError) {
        let (verb, unit, error) = (step.verb.as_str(), &step.unit, error.to_string());
        let event = json!({ "event": "failed", "verb": verb, "unit": unit, "error": error });
        self.tell(&error, &event);
    }

    /// A `redrabbit up` reads the file again.
    pub(super) fn told(self, pid: u32) {
        let event = json!({ "event": "told", "pid": pid });
        self.tell(&format!("told redrabbit up, process {pid}"), &event);
    }

    /// A reader that has gone away has seen enough.
    fn tell(self, text: &str, event: &Value) {
        let mut out = stdout().lock();
        let told = match self.json {
            true => writeln!(out, "{event}"),
            false => writeln!(out, "{text}"),
        };
        let _ = told.and_then(|()| out.flush());
    }
}
