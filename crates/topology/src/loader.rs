//! The way from a file to a plan, step by step.

use std::{ffi::OsString, path::Path};

use rustix::process::getuid;

use crate::{
    assembly, file,
    findings::Findings,
    mistake::{Place, TopologyError},
    overrides,
    plan::Topology,
    relations,
    settings::Settings,
    shape, state,
};

/// Loads `path` as seen from `folder`; everything that is read besides files is
/// an argument.
pub(crate) fn load(
    path: &Path,
    environment: &[(OsString, OsString)],
    set: &[String],
    folder: &Path,
) -> Result<Topology, TopologyError> {
    let mut findings = Findings::default();
    let topology = file::read(path, &mut findings)
        .and_then(|text| resolve(path, &text, environment, set, folder, &mut findings));
    match topology {
        Some(topology) if findings.is_empty() => Ok(topology),
        _ => Err(TopologyError::new(path, findings.into_mistakes())),
    }
}

fn resolve(
    path: &Path,
    text: &str,
    variables: &[(OsString, OsString)],
    set: &[String],
    folder: &Path,
    findings: &mut Findings,
) -> Option<Topology> {
    let base = folder.join(path);
    let base = base.parent().unwrap_or(folder);
    let mut written = file::parse(path, base, text, findings);
    written.keep_judgeable();
    let environment = overrides::environment(variables, folder, findings);
    let mut arguments = overrides::arguments(set, folder, findings);
    if written.whole {
        overrides::keep_declared(&mut arguments, &written.layer, findings);
    }
    let layers = [written.layer, environment, arguments];
    let [file, environment, arguments] = layers.map(|layer| shape::check(layer, findings));
    if !written.whole {
        // What is missing or contradicts itself may stand in the lines that
        // could not be read.
        return None;
    }
    let top = Place::Line {
        path: path.into(),
        line: 1,
        column: 1,
    };
    let settings = Settings::merge(file, [environment, arguments]);
    let state_dir = folder.join(state::default_folder(variables, getuid().as_raw()));
    let topology = assembly::assemble(&settings, &top, &state_dir, findings);
    relations::check(&settings, findings);
    topology
}

#[cfg(test)]
mod tests;
