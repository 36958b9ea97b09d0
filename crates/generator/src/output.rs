//! What was decided, written where systemd reads it.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{TARGET, drop_in::of_target, files::Complaint, units::Unit};

/// Where the templates are.
const UNIT_FOLDER: &str = "/usr/lib/systemd/system";

/// What a drop-in is called: before those of `systemctl edit`, which have the last word.
const DROP_IN: &str = "50-topology.conf";

/// Something could not be written, and nothing was left of the rest.
#[derive(Debug, thiserror::Error)]
#[error("no node is started: cannot write {path}: {error}")]
pub struct OutputError {
    /// What was to be written.
    pub path: PathBuf,
    /// Why it was not.
    pub error: io::Error,
}

/// What systemd is to read.
#[derive(Clone, Debug)]
pub struct Output {
    /// What the target wants, each with a drop-in.
    pub units: Vec<Unit>,
    /// Why something is missing: the target's description says it.
    pub complaints: Vec<Complaint>,
}

impl Output {
    /// Writes it to `folder`. `etc` is the folder of the configuration that it is from.
    ///
    /// # Errors
    /// When some of it cannot be written: then nothing is.
    pub fn write(&self, folder: &Path, etc: &Path) -> Result<(), OutputError> {
        let mut written = Vec::new();
        let outcome = self.write_all(folder, etc, &mut written);
        if outcome.is_err() {
            // What cannot be taken back either is on a disk that nobody can help.
            for path in written.iter().rev() {
                let _ = fs::remove_file(path);
                let _ = path.parent().map(fs::remove_dir);
            }
        }
        outcome
    }

    fn write_all(
        &self,
        folder: &Path,
        etc: &Path,
        written: &mut Vec<PathBuf>,
    ) -> Result<(), OutputError> {
        let drop_in = |unit: &str| folder.join(format!("{unit}.d")).join(DROP_IN);
        if !self.complaints.is_empty() {
            let text = of_target(&self.complaints);
            put(drop_in(TARGET), written, |path| fs::write(path, text))?;
        }
        // Before the links: whoever is wanted has one.
        for unit in &self.units {
            let text = unit.drop_in(etc);
            put(drop_in(&unit.name()), written, |path| fs::write(path, text))?;
        }
        let wants = folder.join(format!("{TARGET}.wants"));
        for unit in &self.units {
            let template = Path::new(UNIT_FOLDER).join(unit.template());
            put(wants.join(unit.name()), written, |path| {
                symlink(template, path)
            })?;
        }
        Ok(())
    }
}

/// Puts something at `path` in the place of what is there.
fn put(
    path: PathBuf,
    written: &mut Vec<PathBuf>,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), OutputError> {
    let put = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        write(&path)
    };
    let outcome = put();
    // A file that was written in part is there, too.
    written.push(path.clone());
    outcome.map_err(|error| OutputError { path, error })
}
