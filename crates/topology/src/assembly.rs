//! Reads the plan out of the settings.

use std::{fs, path::Path, str::FromStr};

use protocol::{NodeName, Secret};

use crate::{
    file::unreadable,
    findings::Findings,
    layer::KeyPath,
    mistake::{Place, Problem},
    plan::{Gate, Limits, Master, Scene, Slave, Topology},
    reference::{Key, Section},
    security::Security,
    settings::Settings,
    state, tls,
};

/// The plan, or nothing when a key is missing or a secret cannot be read, which
/// is then noted. `state_dir` is where nodes keep their state unless told
/// otherwise.
pub(crate) fn assemble(
    settings: &Settings,
    top: &Place,
    state_dir: &Path,
    findings: &mut Findings,
) -> Option<Topology> {
    let mut missing = Missing {
        settings,
        top,
        findings,
    };
    // All of them are looked at before the first `?` may end this.
    missing.check(&KeyPath::new(["group"]), Section::Top);
    missing.check(&KeyPath::new(["master", "listen"]), Section::Master);
    for node in settings.nodes(Section::Slave) {
        missing.check(&node.child("listen"), Section::Slave);
    }
    for node in settings.nodes(Section::Scene) {
        missing.check(&node.child("script"), Section::Scene);
    }
    let security = security(settings, findings);
    Some(Topology {
        group: settings.text(&KeyPath::new(["group"]))?,
        master: master(settings, state_dir)?,
        slaves: nodes(settings, Section::Slave, |node| slave(settings, node))?,
        gates: nodes(settings, Section::Gate, |node| gate(settings, node))?,
        scenes: nodes(settings, Section::Scene, |node| {
            scene(settings, node, state_dir)
        })?,
        limits: limits(settings)?,
        security: security?,
    })
}

struct Missing<'a> {
    settings: &'a Settings,
    /// The place of what stands in no section.
    top: &'a Place,
    findings: &'a mut Findings,
}

impl Missing<'_> {
    /// Notes that `path` is missing, unless something else is wrong with it.
    fn check(&mut self, path: &KeyPath, section: Section) {
        let given = self.settings.text::<String>(path).is_some();
        if given || self.findings.touches(path) {
            return;
        }
        let place = self.settings.place(path).unwrap_or(self.top);
        let expected = path.segments().last().and_then(|name| section.key(name));
        let expected = expected.map(Key::expects).unwrap_or_default();
        self.findings
            .note(Problem::Missing, place, path, "nothing", expected);
    }
}

fn nodes<T>(
    settings: &Settings,
    section: Section,
    read: impl Fn(&KeyPath) -> Option<T>,
) -> Option<std::collections::BTreeMap<NodeName, T>> {
    let named = |node: KeyPath| Some((node.segments().last()?.parse().ok()?, read(&node)?));
    settings.nodes(section).into_iter().map(named).collect()
}

fn master(settings: &Settings, state_dir: &Path) -> Option<Master> {
    let path = KeyPath::new(["master"]);
    let group = settings.text(&KeyPath::new(["group"]))?;
    let listen = settings.text(&path.child("listen"))?;
    let given = settings.path(&path.child("state_dir"));
    let state_dir = given.as_deref().unwrap_or(state_dir);
    Some(Master {
        name: NodeName::from_str("master@0").ok()?,
        machine: settings.text(&path.child("machine"))?,
        listen,
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
        epoch_file: state::epoch_file(state_dir, &group, listen),
    })
}

fn slave(settings: &Settings, path: &KeyPath) -> Option<Slave> {
    Some(Slave {
        machine: settings.text(&path.child("machine"))?,
        listen: settings.text(&path.child("listen"))?,
        advertise: settings.text(&path.child("advertise")),
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
    })
}

fn gate(settings: &Settings, path: &KeyPath) -> Option<Gate> {
    Some(Gate {
        machine: settings.text(&path.child("machine"))?,
        tcp: settings.text(&path.child("tcp")),
        websocket: settings.text(&path.child("websocket")),
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
        verify: settings.text(&path.child("verify"))?,
        enter: settings.text(&path.child("enter")),
    })
}

fn scene(settings: &Settings, path: &KeyPath, state_dir: &Path) -> Option<Scene> {
    let group = settings.text(&KeyPath::new(["group"]))?;
    let master = settings.text(&KeyPath::new(["master", "listen"]))?;
    let given = settings.path(&path.child("state_dir"));
    let state_dir = given.as_deref().unwrap_or(state_dir);
    Some(Scene {
        machine: settings.text(&path.child("machine"))?,
        script: settings.path(&path.child("script"))?,
        python_path: settings.paths(&path.child("python_path")),
        venv: settings.path(&path.child("venv")),
        watch: settings.switch(&path.child("watch"))?,
        state_dir: state::scenes_folder(state_dir, &group, master),
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
    })
}

fn limits(settings: &Settings) -> Option<Limits> {
    let at = |name| KeyPath::new(["limits", name]);
    Some(Limits {
        frame_bytes: settings.number(&at("frame_bytes"))?,
        verify_timeout: settings.duration(&at("verify_timeout"))?,
        idle_timeout: settings.duration(&at("idle_timeout"))?,
        send_queue_bytes: settings.number(&at("send_queue_bytes"))?,
        send_queue_frames: settings.number(&at("send_queue_frames"))?,
        frames_per_second: settings.number(&at("frames_per_second"))?,
        frame_burst: settings.number(&at("frame_burst"))?,
        rate_patience: settings.duration(&at("rate_patience"))?,
        sessions_per_gate: settings.number(&at("sessions_per_gate"))?,
        unverified_per_gate: settings.number(&at("unverified_per_gate"))?,
        connections_per_address: settings.number(&at("connections_per_address"))?,
        session_window: settings.number(&at("session_window"))?,
        scene_window_bytes: settings.number(&at("scene_window_bytes"))?,
        link_outbox_bytes: settings.number(&at("link_outbox_bytes"))?,
        pair_bytes: settings.number(&at("pair_bytes"))?,
        call_timeout: settings.duration(&at("call_timeout"))?,
        handler_timeout: settings.duration(&at("handler_timeout"))?,
        handler_warn: settings.duration(&at("handler_warn"))?,
        scene_hold: settings.duration(&at("scene_hold"))?,
        lease: settings.duration(&at("lease"))?,
        drain_grace: settings.duration(&at("drain_grace"))?,
    })
}

fn security(settings: &Settings, findings: &mut Findings) -> Option<Security> {
    // Both are looked at before a `?` may end this.
    let (secret, tls) = (secret(settings, findings), tls::files(settings, findings));
    Some(Security {
        secret: secret?,
        allow_plaintext: settings.switch(&KeyPath::new(["security", "allow_plaintext"]))?,
        tls,
    })
}

fn secret(settings: &Settings, findings: &mut Findings) -> Option<Secret> {
    let secret = KeyPath::new(["security", "secret"]);
    let secret_file = KeyPath::new(["security", "secret_file"]);
    let Some(file) = settings.path(&secret_file) else {
        let secret = settings.text::<String>(&secret).unwrap_or_default();
        return Some(Secret::new(secret));
    };
    let place = settings.place(&secret_file)?;
    if let Some(other) = settings
        .text::<String>(&secret)
        .and(settings.place(&secret))
    {
        let found = format!("security.secret as well ({})", other.briefly());
        findings.note(
            Problem::Clash,
            place,
            &secret_file,
            found,
            "only one of the two",
        );
        return None;
    }
    // Neither the path nor the content is shown: the secret itself may have
    // been put in the place of the path.
    let found = match fs::read(&file).map(String::from_utf8) {
        Ok(Ok(text)) if !text.trim().is_empty() => {
            return Some(Secret::new(text.trim()));
        }
        Ok(Ok(_)) => "a file with nothing in it".to_owned(),
        Ok(Err(_)) => "a file that is not UTF-8 text".to_owned(),
        Err(error) => unreadable(&error),
    };
    findings.note(
        Problem::Unreadable,
        place,
        &secret_file,
        found,
        "a file with the secret in it",
    );
    None
}
