//! Whether what a group exports means anything.

use vocabulary::NodeName;

use crate::{
    findings::Findings, layer::KeyPath, mistake::Problem, nearest::nearest, section::Section,
    settings::Settings,
};

/// What an export can let others do.
const WHAT: [&str; 3] = ["cmds", "methods", "directory"];

/// Notes exports that let nobody do anything, or name what is not there.
pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    let own: Option<String> = settings.text(&KeyPath::new(["group"]));
    for export in settings.nodes(Section::Export) {
        contents(settings, &export, findings);
        if let Some(own) = &own {
            askers(settings, &export, own, findings);
        }
        scenes(settings, &export, findings);
    }
}

/// An export of nothing.
fn contents(settings: &Settings, export: &KeyPath, findings: &mut Findings) {
    let lets = |path: &KeyPath| {
        let any = !settings.texts(path).is_empty() || settings.switch(path) == Some(true);
        any || findings.touches(path)
    };
    if WHAT.map(|name| export.child(name)).iter().any(lets) {
        return;
    }
    if let Some(place) = settings.place(export) {
        let found = "neither cmds nor methods nor directory, so that it exports nothing";
        let expected = "at least one of them, such as cmds = [200] or methods = [\"echo\"]";
        findings.note(Problem::Missing, place, export, found, expected);
    }
}

/// A group that lets itself: within a group nothing needs an export.
fn askers(settings: &Settings, export: &KeyPath, own: &str, findings: &mut Findings) {
    let path = export.child("groups");
    for (index, group) in settings.texts(&path).into_iter().enumerate() {
        if let (true, Some(place)) = (group == own, settings.item_place(&path, index)) {
            let found = format!("{group}, which is this group itself");
            let expected = "other groups: within a group every node may call every other";
            findings.note(Problem::WrongValue, place, &path, found, expected);
        }
    }
}

/// Scenes that no section declares. Nodes of other roles may come without being
/// declared: they are services.
fn scenes(settings: &Settings, export: &KeyPath, findings: &mut Findings) {
    let path = export.child("services");
    let nodes = settings.nodes(Section::Scene);
    let declared = nodes.iter().filter_map(|scene| scene.segments().last());
    let mut declared: Vec<&str> = declared.map(String::as_str).collect();
    declared.sort_unstable();
    for (index, service) in settings.texts(&path).into_iter().enumerate() {
        let role = Section::Scene.role();
        let is_scene = service
            .parse::<NodeName>()
            .is_ok_and(|name| Some(name.role()) == role);
        let known = || {
            let wanted = KeyPath::new([Section::Scene.top(), service]);
            declared.contains(&service) || findings.touches(&wanted)
        };
        if !is_scene || known() {
            continue;
        }
        let Some(place) = settings.item_place(&path, index) else {
            continue;
        };
        let found = format!("{service}, which no section declares");
        let expected = match declared.join(", ") {
            names if names.is_empty() => format!("a section [scenes.\"{service}\"]"),
            names => format!("a scene that is declared: {names}"),
        };
        let mistake = findings.note(Problem::Undeclared, place, &path, found, expected);
        mistake.nearest = nearest(service, declared.iter().copied()).map(str::to_owned);
    }
}
