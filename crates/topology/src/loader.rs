//! The way from a file to a plan, step by step.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use rustix::process::getuid;

use crate::{
    any_plan::Plan,
    assembly, bridge_assembly,
    bridge_plan::BridgePlan,
    bridge_relations,
    document::Document,
    file,
    findings::Findings,
    mistake::{Place, TopologyError},
    overrides,
    plan::Topology,
    relations,
    settings::Settings,
    shape, state,
};

/// What is read besides files.
pub(crate) struct Sources {
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The `--set` arguments.
    pub(crate) set: Vec<String>,
    /// What relative paths outside the file are relative to, and the file's own.
    pub(crate) folder: PathBuf,
    /// Where the file is to lie, if that is not where it does.
    pub(crate) place: Option<PathBuf>,
    /// Whether the files are read that hold secrets and certificates.
    pub(crate) credentials: Credentials,
}

/// What becomes of the files that hold secrets and certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// They have to be there.
    Read,
    /// Nobody looks at them: the secret is empty.
    Left,
}

/// Everything up to the settings.
struct Resolved {
    settings: Settings,
    top: Place,
}

impl Sources {
    /// Those of this process, and `set`.
    pub(crate) fn of_process(set: &[String]) -> Sources {
        Sources {
            environment: std::env::vars_os().collect(),
            set: set.to_vec(),
            // Without a current folder relative paths stay relative.
            folder: std::env::current_dir().unwrap_or_default(),
            place: None,
            credentials: Credentials::Read,
        }
    }

    /// The same, of a file that is about to be moved to `place`: what is relative to
    /// its folder is relative to that one.
    pub(crate) fn placed(mut self, place: &Path) -> Sources {
        self.place = Some(place.to_owned());
        self
    }

    /// Loads a group's file.
    pub(crate) fn load_group(&self, path: &Path) -> Result<Topology, TopologyError> {
        self.load(path, Some(Document::Group), |resolved, findings| {
            self.group(resolved, findings)
        })
    }

    /// Loads a bridge's file.
    pub(crate) fn load_bridges(&self, path: &Path) -> Result<BridgePlan, TopologyError> {
        self.load(path, Some(Document::Bridge), bridges)
    }

    /// Loads a file of either sort.
    pub(crate) fn load_any(&self, path: &Path) -> Result<Plan, TopologyError> {
        self.load(path, None, |resolved, findings| {
            match resolved.settings.document() {
                Document::Group => {
                    let group = self.group(resolved, findings)?;
                    Some(Plan::Group(Box::new(group)))
                }
                Document::Bridge => bridges(resolved, findings).map(Plan::Bridges),
            }
        })
    }

    fn load<T>(
        &self,
        path: &Path,
        wanted: Option<Document>,
        plan: impl FnOnce(&Resolved, &mut Findings) -> Option<T>,
    ) -> Result<T, TopologyError> {
        let mut findings = Findings::default();
        let plan = file::read(path, &mut findings)
            .and_then(|text| self.resolve(path, &text, wanted, &mut findings))
            .and_then(|resolved| plan(&resolved, &mut findings));
        match plan {
            Some(plan) if findings.is_empty() => Ok(plan),
            _ => Err(TopologyError::new(path, findings.into_mistakes())),
        }
    }

    fn resolve(
        &self,
        path: &Path,
        text: &str,
        wanted: Option<Document>,
        findings: &mut Findings,
    ) -> Option<Resolved> {
        let base = self.folder.join(self.place.as_deref().unwrap_or(path));
        let base = base.parent().unwrap_or(&self.folder);
        let mut written = file::parse(path, base, text, wanted, findings)?;
        written.keep_judgeable();
        let (document, whole) = (written.document, written.whole);
        let file = written.layer;
        let variables = &self.environment;
        let mut environment =
            overrides::environment(variables, document, &file, &self.folder, findings);
        let mut arguments = overrides::arguments(&self.set, &self.folder, findings);
        let top = Place::Line {
            path: path.into(),
            line: 1,
            column: 1,
        };
        if whole {
            for layer in [&mut environment, &mut arguments] {
                overrides::keep_declared(layer, document, &file, findings);
            }
            if document == Document::Bridge {
                bridge_relations::check_enough(&file, &top, findings);
            }
        }
        let layers = [file, environment, arguments];
        let [file, environment, arguments] =
            layers.map(|layer| shape::check(layer, document, findings));
        if !whole {
            // What is missing or contradicts itself may stand in the lines that
            // could not be read.
            return None;
        }
        let mut settings = Settings::merge(document, file, [environment, arguments]);
        if self.credentials == Credentials::Left {
            settings.leave_credentials();
        }
        Some(Resolved { settings, top })
    }

    fn group(&self, resolved: &Resolved, findings: &mut Findings) -> Option<Topology> {
        let Resolved { settings, top } = resolved;
        let state_dir = state::default_folder(&self.environment, getuid().as_raw());
        let state_dir = self.folder.join(state_dir);
        let topology = assembly::assemble(settings, top, &state_dir, findings);
        relations::check(settings, findings);
        topology
    }
}

fn bridges(resolved: &Resolved, findings: &mut Findings) -> Option<BridgePlan> {
    let Resolved { settings, top } = resolved;
    let plan = bridge_assembly::assemble(settings, top, findings);
    bridge_relations::check(settings, findings);
    plan
}

#[cfg(test)]
mod tests;
