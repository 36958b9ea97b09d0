//! What a valid file turns into.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use protocol::NodeName;
use topology::{Problem, Topology, this_machine};

const MACHINES: &str = r#"
group = "GroupA"

[master]
machine = "game-1"
listen = "10.0.0.1:10241"
workers = 4

[slaves."slave@1"]
machine = "edge-1"
listen = "0.0.0.0:10251"
advertise = "edge-1:10251"
workers = 2

[slaves."slave@0"]
listen = "10.0.0.1:10252"
http = "127.0.0.1:10351"

[gates."gate@0"]
machine = "edge-1"
tcp = "0.0.0.0:10242"
enter = "scene@10"

[gates."gate@1"]
websocket = "127.0.0.1:10243"
verify = "scene@9"

[scenes."scene@10"]
machine = "game-2"
script = "/srv/game/main.py"

[scenes."scene@9"]
machine = "game-1"
script = "scripts/../lobby.py"
python_path = ["lib", "/srv/lib"]

[scenes."scene@0"]
machine = "game-1"
script = "main.py"

[limits]
frame_bytes = 4096
send_queue_bytes = "1MiB"
lease = "1500ms"
frame_burst = 50

[security]
secret = "long and random"
allow_plaintext = true
"#;

fn load(folder: &Path, text: &str, set: &[&str]) -> Result<Topology, topology::TopologyError> {
    let path = folder.join("topology.toml");
    fs::write(&path, text).expect("the folder is ours");
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    Topology::load(&path, &set)
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn every_value_of_a_file_arrives_in_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = load(folder.path(), MACHINES, &[]).unwrap();

    assert_eq!(plan.group.as_str(), "GroupA");
    assert_eq!(plan.master.name, name("master@0"));
    assert_eq!(plan.master.listen, address("10.0.0.1:10241"));
    assert_eq!(
        (plan.master.machine.as_str(), plan.master.workers),
        ("game-1", 4)
    );
    let slave = &plan.slaves[&name("slave@1")];
    assert_eq!((slave.machine.as_str(), slave.workers), ("edge-1", 2));
    assert_eq!(slave.listen, address("0.0.0.0:10251"));
    assert_eq!(slave.advertise.as_deref(), Some("edge-1:10251"));
    let slave = &plan.slaves[&name("slave@0")];
    assert_eq!((slave.advertise.clone(), slave.workers), (None, 1));
    assert_eq!(slave.http, Some(address("127.0.0.1:10351")));
    let gate = &plan.gates[&name("gate@0")];
    assert_eq!(
        (gate.tcp, gate.websocket),
        (Some(address("0.0.0.0:10242")), None)
    );
    assert_eq!(
        (&gate.verify, gate.enter.as_ref()),
        (&name("scene@0"), Some(&name("scene@10")))
    );
    let gate = &plan.gates[&name("gate@1")];
    assert_eq!(
        (gate.machine.as_str(), &gate.verify),
        ("localhost", &name("scene@9"))
    );
    assert_eq!(gate.enter, None);
    assert_eq!(plan.limits.frame_bytes, 4096);
    assert_eq!(plan.limits.send_queue_bytes, 1 << 20);
    assert_eq!(plan.limits.lease, Duration::from_millis(1500));
    assert_eq!(plan.limits.frame_burst, 50);
    assert_eq!(plan.security.secret.expose(), "long and random");
    assert!(plan.security.allow_plaintext);
    assert_eq!(plan.security.tls_files(&name("gate@0")), None);
}

#[test]
fn limits_that_nobody_sets_have_their_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let limits = load(folder.path(), MACHINES, &[]).unwrap().limits;

    assert_eq!(limits.verify_timeout, Duration::from_secs(10));
    assert_eq!(limits.idle_timeout, Duration::from_secs(60));
    assert_eq!(limits.send_queue_frames, 1024);
    assert_eq!(limits.frames_per_second, 200);
    assert_eq!(limits.sessions_per_gate, 50_000);
    assert_eq!(limits.connections_per_address, 256);
    assert_eq!(limits.session_window, 16);
    assert_eq!(limits.scene_window_bytes, 16 << 20);
    assert_eq!(limits.link_outbox_bytes, 64 << 20);
    assert_eq!(limits.pair_bytes, 16 << 20);
    assert_eq!(limits.call_timeout, Duration::from_secs(5));
    assert_eq!(limits.handler_timeout, Duration::from_secs(30));
    assert_eq!(limits.handler_warn, Duration::from_secs(1));
    assert_eq!(limits.drain_grace, Duration::from_secs(10));
}

#[test]
fn paths_of_a_file_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let plan = load(folder.path(), MACHINES, &[]).unwrap();

    assert_eq!(
        plan.scenes[&name("scene@0")].script,
        folder.path().join("main.py")
    );
    assert_eq!(
        plan.scenes[&name("scene@10")].script,
        Path::new("/srv/game/main.py")
    );
    let scene = &plan.scenes[&name("scene@9")];
    assert_eq!(
        scene.python_path,
        [folder.path().join("lib"), "/srv/lib".into()]
    );
    // There is no such folder to leave, so nothing is known about its "..".
    assert_eq!(scene.script, folder.path().join("scripts/../lobby.py"));
}

#[cfg(unix)]
#[test]
fn a_script_behind_a_link_stays_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("release-1")).unwrap();
    std::os::unix::fs::symlink("release-1", folder.path().join("current")).unwrap();
    let set = ["scenes.scene@0.script=elsewhere"];
    let text = MACHINES.replace("\"main.py\"", "\"current/main.py\"");

    let plan = load(folder.path(), &text, &[]).unwrap();
    assert_eq!(
        plan.scenes[&name("scene@0")].script,
        folder.path().join("current/main.py")
    );
    let text = MACHINES.replace("\"main.py\"", "\"current/../main.py\"");
    let plan = load(folder.path(), &text, &[]).unwrap();
    assert_eq!(
        plan.scenes[&name("scene@0")].script,
        folder.path().join("current/../main.py")
    );
    let plan = load(folder.path(), &text, &set).unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(plan.scenes[&name("scene@0")].script, here.join("elsewhere"));
}

#[test]
fn a_machine_runs_its_own_nodes_and_those_of_localhost_in_the_order_of_start() {
    let folder = tempfile::tempdir().unwrap();
    let plan = load(folder.path(), MACHINES, &[]).unwrap();
    let roles = |machine| -> Vec<String> {
        plan.roles_on(machine)
            .iter()
            .map(ToString::to_string)
            .collect()
    };

    assert_eq!(
        roles("game-1"),
        ["master@0", "slave@0", "scene@0", "scene@9", "gate@1"]
    );
    assert_eq!(roles("EDGE-1"), ["slave@0", "slave@1", "gate@0", "gate@1"]);
    assert_eq!(roles("localhost"), ["slave@0", "gate@1"]);
    assert!(!this_machine().is_empty());
}

#[test]
fn a_secret_can_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let text = MACHINES.replace("secret = \"long and random\"", "secret_file = \"secret\"");

    let plan = load(folder.path(), &text, &[]).unwrap();
    assert_eq!(plan.security.secret.expose(), "hunter2");
    assert!(!format!("{plan:?}").contains("hunter2"));
    for wrong in [&b" \n"[..], b"\xff"] {
        fs::write(folder.path().join("secret"), wrong).unwrap();
        let error = load(folder.path(), &text, &[]).unwrap_err();
        assert_eq!(error.mistakes().len(), 1, "{error}");
        assert_eq!(error.mistakes()[0].problem, Problem::Unreadable);
    }
}

#[test]
fn beyond_loopback_a_group_speaks_tls_or_says_that_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("authority.pem"), "").unwrap();
    let tls = "authority = \"authority.pem\"\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"";
    let text = MACHINES.replace("allow_plaintext = true", tls);

    // Those of a single node are not looked for: they may be on another machine.
    let plan = load(folder.path(), &text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let files = plan.security.tls_files(&name("scene@10")).unwrap();
    assert_eq!(files.authority, folder.path().join("authority.pem"));
    assert_eq!(files.certificate, folder.path().join("scene@10.pem"));
    assert_eq!(files.key, folder.path().join("scene@10.key"));

    let set = ["security.allow_plaintext=false"];
    let error = load(folder.path(), MACHINES, &set).unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
    assert_eq!(error.mistakes()[0].problem, Problem::Exposed);
}

#[test]
fn a_masters_state_is_where_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let text = MACHINES.replace("workers = 4", "workers = 4\nstate_dir = \"state\"");
    let epoch_file = |text, set| load(folder.path(), text, set).unwrap().master.epoch_file;

    let file = "GroupA@10.0.0.1-10241.epoch";
    assert_eq!(
        epoch_file(&text, &[]),
        folder.path().join("state").join(file)
    );
    let set = ["master.state_dir=/var/lib/redrabbit"];
    assert_eq!(
        epoch_file(&text, &set),
        Path::new("/var/lib/redrabbit").join(file)
    );
    assert!(epoch_file(MACHINES, &[]).is_absolute());
}

#[test]
fn a_scenes_state_is_in_a_folder_of_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{MACHINES}\n");
    let scene = |set: &[&str]| {
        let plan = load(folder.path(), &text, set).unwrap();
        plan.scenes[&name("scene@10")].clone()
    };
    let plain = scene(&[]);
    assert!(plain.state_dir.is_absolute() && plain.state_dir.ends_with("GroupA"));
    assert_eq!((plain.venv, plain.watch), (None, false));
    let given = scene(&[
        "scenes.scene@10.state_dir=/var/lib/redrabbit",
        "scenes.scene@10.venv=/srv/venv",
        "scenes.scene@10.watch=true",
    ]);
    assert_eq!(given.state_dir, Path::new("/var/lib/redrabbit/GroupA"));
    assert_eq!(given.venv.as_deref(), Some(Path::new("/srv/venv")));
    assert!(given.watch);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_no_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("\u{feff}{}", MACHINES.replace('\n', "\r\n"));
    load(folder.path(), &text, &[]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_file_that_is_not_there_and_a_folder_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("absent.toml"), folder.path().to_owned()] {
        let error = Topology::load(&path, &[]).unwrap_err();
        assert_eq!(error.mistakes()[0].problem, Problem::Unreadable, "{error}");
        assert!(
            error.to_string().contains(&*path.to_string_lossy()),
            "{error}"
        );
    }
}
