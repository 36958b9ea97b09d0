//! What no single key can tell: whether the parts of a plan fit together.

use std::net::SocketAddr;

use crate::{
    addresses, export_rules, findings::Findings, kind::can_be_dialled, layer::KeyPath,
    mistake::Problem, nearest::nearest, section::Section, settings::Settings, units::show_size,
};

/// Notes every way in which the settings contradict each other.
pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    addresses::check(settings, findings);
    entrances(settings, findings);
    certificates(settings, findings);
    logins(settings, findings);
    references(settings, findings);
    windows(settings, findings);
    outboxes(settings, findings);
    pairs(settings, findings);
    export_rules::check(settings, findings);
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

/// A certificate for clients without its key, or the other way round.
fn certificates(settings: &Settings, findings: &mut Findings) {
    for gate in settings.nodes(Section::Gate) {
        for (here, other) in [("certificate", "key"), ("key", "certificate")] {
            let (path, missing) = (gate.child(here), gate.child(other));
            let is_given = |path| settings.text::<String>(path).is_some();
            if !is_given(&path) || is_given(&missing) || findings.touches(&missing) {
                continue;
            }
            let Some(place) = settings.place(&path) else {
                continue;
            };
            let found = format!("nothing, beside {here}");
            let expected = "certificate and key, or neither of them";
            findings.note(Problem::Missing, place, &missing, found, expected);
        }
    }
}

/// A login gate without a gate to send clients to, and one that it could not tell them of.
fn logins(settings: &Settings, findings: &mut Findings) {
    let mode = |gate: &KeyPath| settings.text::<String>(&gate.child("mode"));
    let gates = settings.nodes(Section::Gate);
    let (logins, games): (Vec<_>, Vec<_>) = gates
        .into_iter()
        .filter(|gate| !findings.touches(&gate.child("mode")))
        .partition(|gate| mode(gate).as_deref() == Some("login"));
    let Some(place) = logins.first().and_then(|login| {
        let path = login.child("mode");
        settings.place(&path)
    }) else {
        return;
    };
    if games.is_empty() {
        let found = "no gate whose mode is game";
        let expected = "another gate, which this one can send clients to";
        findings.note(
            Problem::Missing,
            place,
            &logins[0].child("mode"),
            found,
            expected,
        );
    }
    for game in games {
        for (listen, advertise) in [
            ("tcp", "advertise_tcp"),
            ("websocket", "advertise_websocket"),
        ] {
            let listen = game.child(listen);
            let (path, wanted) = (game.child(advertise), settings.text::<SocketAddr>(&listen));
            let is_given = settings.text::<String>(&path).is_some() || findings.touches(&path);
            let Some(address) = wanted.filter(|address| !is_given && !can_be_dialled(*address))
            else {
                continue;
            };
            let Some(at) = settings.place(&listen) else {
                continue;
            };
            let found = format!("nothing, beside {listen} = {address} and a login gate");
            let expected = "where clients find it, or a login gate could not send them here";
            findings.note(Problem::Missing, at, &path, found, expected);
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

/// A scene's outbox has to hold what the windows of all gates let through: past
/// four times its size a link is taken for dead.
fn outboxes(settings: &Settings, findings: &mut Findings) {
    let window = KeyPath::new(["limits", "scene_window_bytes"]);
    let outbox = KeyPath::new(["limits", "link_outbox_bytes"]);
    if findings.is_faulty(&window) || findings.is_faulty(&outbox) {
        return;
    }
    let size = |path| settings.number::<u64>(path);
    let (Some(each), Some(room)) = (size(&window), size(&outbox)) else {
        return;
    };
    let gates = settings.nodes(Section::Gate).len() as u64;
    let least = each.saturating_mul(gates).div_ceil(OUTBOX_OVERFLOW);
    let at = if settings.is_default(&outbox) {
        &window
    } else {
        &outbox
    };
    // Both left alone, it is the number of gates that asks for more.
    let place = settings.place(at).or_else(|| {
        let gate = settings.nodes(Section::Gate).pop()?;
        settings.place(&gate)
    });
    if let (true, Some(place)) = (least > room, place) {
        let senders = if gates == 1 { "gate" } else { "gates" };
        let found = format!(
            "a link_outbox_bytes of {}, and {gates} {senders} with a scene_window_bytes of {}",
            show_size(room),
            show_size(each),
        );
        let expected = format!("a link_outbox_bytes of at least {}", show_size(least));
        findings.note(Problem::Clash, place, at, found, expected);
    }
}

/// One pair that may fill the outbox of its destination shuts out every other
/// sender to it.
pub(crate) fn pairs(settings: &Settings, findings: &mut Findings) {
    let pair = KeyPath::new(["limits", "pair_bytes"]);
    let outbox = KeyPath::new(["limits", "link_outbox_bytes"]);
    if findings.is_faulty(&pair) || findings.is_faulty(&outbox) {
        return;
    }
    let size = |path| settings.number::<u64>(path);
    let (Some(each), Some(room)) = (size(&pair), size(&outbox)) else {
        return;
    };
    let at = if settings.is_default(&pair) {
        &outbox
    } else {
        &pair
    };
    if let (true, Some(place)) = (each > room, settings.place(at)) {
        let found = format!(
            "pair_bytes of {} and link_outbox_bytes of {}",
            show_size(each),
            show_size(room),
        );
        let expected = "a link_outbox_bytes that holds the bytes of a pair";
        findings.note(Problem::Clash, place, at, found, expected);
    }
}

/// How many times its limit an outbox holds before its link is closed; that of
/// `protocol::link::Outbox`, and a test holds it equal to that.
const OUTBOX_OVERFLOW: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_overflows_where_its_own_crate_says() {
        assert_eq!(OUTBOX_OVERFLOW, protocol::link::OVERFLOW as u64);
    }
}
