//! The bridge between two groups.

use std::{
    fs::{self, File},
    net::SocketAddr,
    process::{Command, Stdio},
};

use anyhow::Result;
use tempfile::TempDir;

use crate::process::{Owned, beside, start};

/// The group of the requester.
pub(super) const OWN: &str = "bench";

/// The other one, where the responder is.
pub(super) const OTHER: &str = "far";

/// What the other lets the own one call.
pub(super) const EXPORTS: &str =
    "\n[exports.bench]\ngroups = [\"bench\"]\nmethods = [\"bench.*\"]\n";

/// A bridge at work, until this is dropped.
pub(super) struct Bridge {
    child: Owned,
    /// Its file and its log.
    folder: TempDir,
}

const NAME: &str = "bridge@0";

impl Bridge {
    /// Starts a bridge between the groups of these masters. It joins them in its own
    /// time.
    pub(super) fn start(own: SocketAddr, other: SocketAddr) -> Result<Bridge> {
        let folder = tempfile::tempdir()?;
        let (file, log) = (folder.path().join("bridge.toml"), folder.path().join("log"));
        let mut text = format!("[bridges.\"{NAME}\"]\n");
        for (group, master) in [(OWN, own), (OTHER, other)] {
            text += &format!("[[groups]]\nname = \"{group}\"\nmaster = \"{master}\"\n");
        }
        fs::write(&file, text)?;
        let mut command = Command::new(beside("bridge")?);
        command.arg("--topology").arg(file).args(["--name", NAME]);
        let output = Stdio::from(File::create(&log)?);
        Ok(Bridge {
            child: start(command, output, &log)?,
            folder,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
