//! What no single key can tell: whether the parts of a plan fit together.

use crate::{
    addresses, findings::Findings, layer::KeyPath, mistake::Problem, nearest::nearest,
    reference::Section, settings::Settings, units::show_size,
};

/// Notes every way in which the settings contradict each other.
pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    addresses::check(settings, findings);
    entrances(settings, findings);
    references(settings, findings);
    windows(settings, findings);
}

/// A gate that no client can reach.
fn entrances(settings: &Settings, findings: &mut Findings) {
    for gate in settings.nodes(Section::Gate) {
        let ways = ["tcp", "websocket"].map(|name| gate.child(name));
        let missing =
            |path: &KeyPath| settings.text::<String>(path).is_none() && !findings.touches(path);
        if let (true, Some(place)) = (ways.iter().all(missing), settings.place(&gate)) {
            let found = "neither tcp nor websocket";
            let expected = "at least one of them, such as tcp = \"0.0.0.0:10242\"";
            findings.note(Problem::Missing, place, &gate, found, expected);
        }
    }
}

/// Scenes that gates name and no section declares.
fn references(settings: &Settings, findings: &mut Findings) {
    let scenes = settings.nodes(Section::Scene);
    let mut declared: Vec<&str> = scenes
        .iter()
        .filter_map(|scene| scene.segments().last().map(String::as_str))
        .collect();
    declared.sort_unstable();
    for gate in settings.nodes(Section::Gate) {
        for path in [gate.child("verify"), gate.child("enter")] {
            let (Some(scene), Some(place)) =
                (settings.text::<String>(&path), settings.place(&path))
            else {
                continue;
            };
            let wanted = KeyPath::new([Section::Scene.top(), &scene]);
            let noted = findings.is_faulty(&path) || findings.touches(&wanted);
            if noted || declared.contains(&scene.as_str()) {
                continue;
            }
            let found = match settings.is_default(&path) {
                true => format!("nothing, which means {scene}, and no section declares that"),
                false => format!("{scene}, which no section declares"),
            };
            let expected = match declared.join(", ") {
                names if names.is_empty() => format!("a section [scenes.\"{scene}\"]"),
                names => format!("a scene that is declared: {names}"),
            };
            let mistake = findings.note(Problem::Undeclared, place, &path, found, expected);
            mistake.nearest = nearest(&scene, declared.iter().copied()).map(str::to_owned);
        }
    }
}

/// A window that the largest frame does not fit into would never open.
fn windows(settings: &Settings, findings: &mut Findings) {
    let frame = KeyPath::new(["limits", "frame_bytes"]);
    let window = KeyPath::new(["limits", "scene_window_bytes"]);
    if findings.is_faulty(&frame) || findings.is_faulty(&window) {
        return;
    }
    let size = |path| settings.number::<u64>(path);
    let (Some(largest), Some(room)) = (size(&frame), size(&window)) else {
        return;
    };
    // Of the two the one that somebody wrote is at fault.
    let at = if settings.is_default(&window) {
        &frame
    } else {
        &window
    };
    if let (true, Some(place)) = (room < largest, settings.place(at)) {
        let found = format!(
            "frame_bytes of {} and scene_window_bytes of {}",
            show_size(largest),
            show_size(room),
        );
        let expected = "a scene_window_bytes that holds a frame";
        findings.note(Problem::Clash, place, at, found, expected);
    }
}
