//! The service manager: which units this machine has, and what is asked of it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use generator::Files;

use super::{
    ApplyError,
    steps::{Placed, Step, Verb},
    voice::Voice,
};

/// The service manager of a machine whose configuration is in a folder.
#[derive(Debug)]
pub(super) struct Manager {
    etc: PathBuf,
}

/// What tells that the system was started by it.
pub(crate) const BOOTED: &str = "/run/systemd/system";

impl Manager {
    /// The one that runs the nodes of the file at `place`; nothing where none runs, or
    /// somebody `else` is to be told.
    pub(super) fn of(place: &Path, elsewhere: bool) -> Option<Manager> {
        let etc = Path::new(generator::ETC);
        let runs = Path::new(BOOTED).is_dir() && place.parent() == Some(etc);
        (runs && !elsewhere).then(|| Manager {
            etc: etc.to_owned(),
        })
    }

    /// This machine's units, as the files say now, in the order in which they start.
    pub(super) fn units(&self) -> Vec<Placed> {
        let units = Files::read(&self.etc).units();
        units
            .into_iter()
            .map(|unit| (unit.node.clone(), unit.name()))
            .collect()
    }

    /// Has it see which units there are now.
    pub(super) fn reload(&self) -> Result<(), ApplyError> {
        systemctl(&["daemon-reload"])
    }

    /// Asks it for each step, and waits for the end of each.
    ///
    /// # Errors
    /// [`ApplyError::Manager`], with the first of those that failed: the others are
    /// tried all the same, but no further node is restarted.
    pub(super) fn carry_out(&self, steps: &[Step], say: Voice) -> Result<(), ApplyError> {
        let mut failed = None;
        for step in steps {
            if failed.is_some() && step.verb == Verb::Restart {
                say.skipped(step, "is left as it is");
                continue;
            }
            // Units that were stopped by hand stay so.
            let verb = match (step.verb, is_active(&step.unit)) {
                (Verb::Reload | Verb::Restart, false) => {
                    say.skipped(step, "does not run");
                    continue;
                }
                (verb, _) => verb.as_str(),
            };
            say.step(step);
            if let Err(error) = systemctl(&[verb, &step.unit]) {
                say.failed(step, &error);
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

fn is_active(unit: &str) -> bool {
    let mut command = Command::new("systemctl");
    let status = command.args(["is-active", "--quiet", unit]).status();
    status.is_ok_and(|status| status.success())
}

fn systemctl(args: &[&str]) -> Result<(), ApplyError> {
    let failed = |reason: String| ApplyError::Manager {
        command: format!("systemctl {}", args.join(" ")),
        reason,
    };
    let output = Command::new("systemctl")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(match said.trim() {
        "" => output.status.to_string(),
        said => said.to_owned(),
    }))
}
