//! Reads the plan of bridges out of the settings.

use std::collections::BTreeMap;

use crate::{
    assembly::nodes,
    bridge_plan::{Bridge, BridgeLimits, BridgePlan, JoinedGroup},
    credentials,
    findings::Findings,
    layer::KeyPath,
    log, missing,
    mistake::Place,
    section::Section,
    settings::Settings,
    values::Values,
};

/// The plan, or nothing when a key is missing or a secret cannot be read, which is
/// then noted.
pub(crate) fn assemble(
    settings: &Settings,
    top: &Place,
    findings: &mut Findings,
) -> Option<BridgePlan> {
    // All of them are looked at before the first `?` may end this.
    missing::check(settings, top, findings);
    let mut groups = BTreeMap::new();
    for path in settings.nodes(Section::Group) {
        let group = group(settings, &path, findings);
        groups.insert(path, group);
    }
    let secrets = |path: &KeyPath| {
        let group = groups.get(path)?.as_ref()?;
        Some(&group.security.secret)
    };
    Some(BridgePlan {
        values: Values::of(settings, secrets),
        bridges: nodes(settings, Section::Bridge, |path| bridge(settings, path))?,
        groups: nodes(settings, Section::Group, |path| groups.remove(path)?)?,
        limits: limits(settings)?,
        log: log::assemble(settings)?,
    })
}

fn bridge(settings: &Settings, path: &KeyPath) -> Option<Bridge> {
    Some(Bridge {
        machine: settings.text(&path.child("machine"))?,
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
    })
}

fn group(settings: &Settings, path: &KeyPath, findings: &mut Findings) -> Option<JoinedGroup> {
    let security = credentials::read(settings, path, findings);
    Some(JoinedGroup {
        master: settings.text(&path.child("master"))?,
        security: security?,
    })
}

fn limits(settings: &Settings) -> Option<BridgeLimits> {
    let at = |name| KeyPath::new(["limits", name]);
    Some(BridgeLimits {
        link_outbox_bytes: settings.number(&at("link_outbox_bytes"))?,
        pair_bytes: settings.number(&at("pair_bytes"))?,
        drain_grace: settings.duration(&at("drain_grace"))?,
    })
}
