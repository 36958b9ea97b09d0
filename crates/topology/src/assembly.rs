//! Reads the plan of a group out of the settings.

use std::{collections::BTreeMap, net::SocketAddr, ops::RangeInclusive, path::Path, str::FromStr};

use vocabulary::{CertificateFiles, Export, Exports, NodeName};

use crate::{
    credentials,
    findings::Findings,
    kind::{can_be_dialled, cmds, network},
    layer::KeyPath,
    log, missing,
    mistake::Place,
    plan::{Gate, GateMode, Limits, Master, Scene, Slave, Topology},
    section::Section,
    settings::Settings,
    state,
    values::Values,
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
    // All of them are looked at before the first `?` may end this.
    missing::check(settings, top, findings);
    let security = credentials::read(settings, &KeyPath::new(["security"]), findings);
    Some(Topology {
        group: settings.text(&KeyPath::new(["group"]))?,
        master: master(settings, state_dir)?,
        slaves: nodes(settings, Section::Slave, |node| slave(settings, node))?,
        gates: nodes(settings, Section::Gate, |node| gate(settings, node))?,
        scenes: nodes(settings, Section::Scene, |node| {
            scene(settings, node, state_dir)
        })?,
        exports: exports(settings)?,
        limits: limits(settings)?,
        log: log::assemble(settings)?,
        values: Values::of(settings, |_| {
            security.as_ref().map(|security| &security.secret)
        }),
        security: security?,
    })
}

/// Those of a section of which there may be several, by name.
pub(crate) fn nodes<N: FromStr + Ord, T>(
    settings: &Settings,
    section: Section,
    mut read: impl FnMut(&KeyPath) -> Option<T>,
) -> Option<BTreeMap<N, T>> {
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
        console_token_file: state::console_token_file(state_dir, &group, listen),
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
    let certificate = settings.path(&path.child("certificate"));
    let key = settings.path(&path.child("key"));
    let certificate = certificate.zip(key);
    let certificate = certificate.map(|(certificate, key)| CertificateFiles { certificate, key });
    let listens = |name| settings.text(&path.child(name));
    let advertised = |name, listen, plain, encrypted| {
        let scheme = if certificate.is_some() {
            encrypted
        } else {
            plain
        };
        settings
            .text(&path.child(name))
            .or_else(|| advertised(scheme, listen?))
    };
    let (tcp, websocket) = (listens("tcp"), listens("websocket"));
    let mode: String = settings.text(&path.child("mode"))?;
    Some(Gate {
        machine: settings.text(&path.child("machine"))?,
        mode: match &*mode {
            "login" => GateMode::Login,
            _ => GateMode::Game,
        },
        tcp,
        websocket,
        advertise_tcp: advertised("advertise_tcp", tcp, "tcp", "tls"),
        advertise_websocket: advertised("advertise_websocket", websocket, "ws", "wss"),
        origins: settings
            .texts(&path.child("origins"))
            .into_iter()
            .map(str::to_owned)
            .collect(),
        proxies: settings
            .texts(&path.child("proxies"))
            .into_iter()
            .filter_map(network)
            .collect(),
        certificate,
        http: settings.text(&path.child("http")),
        workers: settings.number(&path.child("workers"))?,
        verify: settings.text(&path.child("verify"))?,
        enter: settings.text(&path.child("enter")),
    })
}

/// Where clients find what listens there, unless that is every address or any port.
fn advertised(scheme: &str, listen: SocketAddr) -> Option<String> {
    can_be_dialled(listen).then(|| format!("{scheme}://{listen}"))
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

fn exports(settings: &Settings) -> Option<Exports> {
    let entries = nodes(settings, Section::Export, |path| export(settings, path))?;
    Some(Exports { entries })
}

fn export(settings: &Settings, path: &KeyPath) -> Option<Export> {
    let texts = |name| -> Vec<String> {
        let texts = settings.texts(&path.child(name));
        texts.into_iter().map(str::to_owned).collect()
    };
    let ranges = settings.texts(&path.child("cmds"));
    Some(Export {
        groups: texts("groups"),
        services: texts("services"),
        cmds: joined(ranges.into_iter().filter_map(cmds).collect()),
        methods: texts("methods"),
        directory: settings.switch(&path.child("directory"))?,
    })
}

/// The same numbers in rising ranges that neither overlap nor touch.
fn joined(mut ranges: Vec<RangeInclusive<u16>>) -> Vec<RangeInclusive<u16>> {
    ranges.sort_by_key(|range| *range.start());
    let mut joined: Vec<RangeInclusive<u16>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if u32::from(*range.start()) <= u32::from(*last.end()) + 1 => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => joined.push(range),
        }
    }
    joined
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
        resume_time: settings.duration(&at("resume_time"))?,
        resume_bytes: settings.number(&at("resume_bytes"))?,
        compress_bytes: settings.number(&at("compress_bytes"))?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_commands_are_told_as_few_as_they_can_be() {
        assert_eq!(
            joined(vec![210..=219, 200..=200, 201..=205]),
            [200..=205, 210..=219]
        );
        assert_eq!(joined(vec![0..=65535, 7..=9, 65535..=65535]), [0..=65535]);
        assert_eq!(joined(vec![5..=9, 5..=6, 11..=11]), [5..=9, 11..=11]);
    }
}
