//! Where the plan of `up` comes from, for the first time and again.

use std::path::PathBuf;

use topology::{Changes, Plan, Topology};

use super::{
    command::UpError,
    output::Form,
    plan::{Telling, UpPlan},
};

/// A file, what overrides it, and where this is.
#[derive(Debug)]
pub(super) struct Source {
    /// The topology file.
    pub(super) file: PathBuf,
    /// What overrides it.
    pub(super) set: Vec<String>,
    /// Where the daemons' programs are.
    pub(super) bin_dir: PathBuf,
    /// What this machine is called.
    pub(super) machine: String,
    /// How log lines are written.
    pub(super) form: Form,
    /// Whether it has to be a group's file: one of bridges runs no script.
    pub(super) of_group: bool,
}

/// What the file says at some time.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) file: Plan,
    pub(super) plan: UpPlan,
}

impl Source {
    /// What it says now.
    ///
    /// # Errors
    /// [`UpError`]: it is wrong, or there is nothing to start.
    pub(super) fn read(&self) -> Result<Reading, UpError> {
        let file = match self.of_group {
            true => Plan::Group(Topology::load(&self.file, &self.set)?.into()),
            false => Plan::load(&self.file, &self.set)?,
        };
        let telling = Telling {
            file: &self.file,
            set: &self.set,
            bin_dir: &self.bin_dir,
            form: self.form,
        };
        let plan = UpPlan::new(&file, &self.machine, &telling)?;
        Ok(Reading { file, plan })
    }
}

impl Reading {
    /// What differs in a later one; nothing can be said of a file of the other sort.
    pub(super) fn changes(&self, later: &Reading) -> Option<Changes> {
        self.file.changes(&later.file)
    }
}
