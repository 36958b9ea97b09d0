//! What is written for good files.

use crate::support::{BRIDGES, GROUP, Machine};

/// All of a run's tree, one file after the other.
fn shown(machine: &Machine) -> String {
    let tree = machine.generate().tree;
    let files = tree
        .iter()
        .map(|(path, text)| match text.starts_with("->") {
            true => format!("=== {path} {text}\n"),
            false => format!("=== {path}\n{text}"),
        });
    files.collect()
}

#[test]
fn a_machine_gets_its_own_nodes_and_no_others_in_their_order() {
    let machine = Machine::named("game-1");
    machine
        .file("topology.toml", GROUP)
        .file("bridge.toml", BRIDGES);
    let expected = "\
=== redrabbit-bridge@0.service.d/50-topology.conf
# From /etc/redrabbit/bridge.toml, by redrabbit-generator.
[Unit]
SourcePath=/etc/redrabbit/bridge.toml
After=redrabbit-master@0.service redrabbit-slave@0.service redrabbit-scene@0.service redrabbit-gate@1.service

[Service]
TimeoutStopSec=12500ms
=== redrabbit-gate@1.service.d/50-topology.conf
# From /etc/redrabbit/topology.toml, by redrabbit-generator.
[Unit]
SourcePath=/etc/redrabbit/topology.toml
After=redrabbit-master@0.service redrabbit-slave@0.service redrabbit-scene@0.service

[Service]
TimeoutStopSec=20s
=== redrabbit-master@0.service.d/50-topology.conf
# From /etc/redrabbit/topology.toml, by redrabbit-generator.
[Unit]
SourcePath=/etc/redrabbit/topology.toml

[Service]
TimeoutStopSec=20s
=== redrabbit-scene@0.service.d/50-topology.conf
# From /etc/redrabbit/topology.toml, by redrabbit-generator.
[Unit]
SourcePath=/etc/redrabbit/topology.toml
After=redrabbit-master@0.service redrabbit-slave@0.service

[Service]
TimeoutStopSec=20s
=== redrabbit-slave@0.service.d/50-topology.conf
# From /etc/redrabbit/topology.toml, by redrabbit-generator.
[Unit]
SourcePath=/etc/redrabbit/topology.toml
After=redrabbit-master@0.service

[Service]
TimeoutStopSec=20s
=== redrabbit.target.wants/redrabbit-bridge@0.service -> /usr/lib/systemd/system/redrabbit-bridge@.service
=== redrabbit.target.wants/redrabbit-gate@1.service -> /usr/lib/systemd/system/redrabbit-gate@.service
=== redrabbit.target.wants/redrabbit-master@0.service -> /usr/lib/systemd/system/redrabbit-master@.service
=== redrabbit.target.wants/redrabbit-scene@0.service -> /usr/lib/systemd/system/redrabbit-scene@.service
=== redrabbit.target.wants/redrabbit-slave@0.service -> /usr/lib/systemd/system/redrabbit-slave@.service
";
    assert_eq!(shown(&machine), expected);
}

#[test]
fn another_machine_gets_others_of_the_same_file() {
    let machine = Machine::named("EDGE-1");
    machine
        .file("topology.toml", GROUP)
        .file("bridge.toml", BRIDGES);
    let run = machine.generate();
    assert_eq!(run.wanted(), ["redrabbit-gate@0.service"]);
    let drop_in = &run.tree["redrabbit-gate@0.service.d/50-topology.conf"];
    assert!(
        !drop_in.contains("After="),
        "nothing else is here: {drop_in}"
    );
    run.says(&["wanted: gate@0\n"]);
}

#[test]
fn a_second_run_in_the_same_folder_changes_nothing() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    let (first, second) = (machine.generate().tree, machine.generate().tree);
    assert_eq!(first, second);
}

#[test]
fn ten_gates_are_ten_instances() {
    let machine = Machine::named("game-9");
    let gates: String = (0..10)
        .map(|index| {
            format!(
                "[gates.\"gate@{index}\"]\nmachine = \"game-9\"\ntcp = \"0.0.0.0:{}\"\n",
                7000 + index
            )
        })
        .collect();
    machine.file(
        "topology.toml",
        format!("{GROUP}{}", gates.replace("gate@", "gate@1")),
    );
    assert_eq!(machine.generate().wanted().len(), 10);
}

#[test]
fn secrets_and_certificates_do_not_have_to_be_there() {
    let machine = Machine::named("edge-1");
    let security = "\
[security]
secret_file = \"secret\"
authority = \"tls/authority.pem\"
certificate = \"tls/{name}.pem\"
key = \"tls/{name}.key\"
";
    let group = GROUP.replace("listen = \"127.0.0.1", "listen = \"10.0.0.1");
    machine.file("topology.toml", format!("{group}{security}"));
    assert_eq!(machine.generate().wanted(), ["redrabbit-gate@0.service"]);
}

#[test]
fn a_low_port_comes_with_the_privilege_that_it_takes() {
    let machine = Machine::named("edge-1");
    machine.file(
        "topology.toml",
        GROUP.replace("0.0.0.0:10242", "0.0.0.0:443"),
    );
    let run = machine.generate();
    let drop_in = &run.tree["redrabbit-gate@0.service.d/50-topology.conf"];
    assert!(
        drop_in.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE\n"),
        "{drop_in}"
    );
    assert!(drop_in.contains("PrivateUsers=no\n"), "{drop_in}");
}

#[test]
fn a_state_folder_elsewhere_can_be_written_to() {
    let machine = Machine::named("game-1");
    let group = GROUP
        .replace(
            "listen = \"127.0.0.1:10241\"",
            "listen = \"127.0.0.1:10241\"\nstate_dir = \"/srv/state\"",
        )
        .replace(
            "main.py\"",
            "main.py\"\nstate_dir = \"/var/lib/redrabbit/own\"",
        );
    machine.file("topology.toml", group);
    let run = machine.generate();
    let paths = |unit: &str| {
        let drop_in = &run.tree[&format!("redrabbit-{unit}.service.d/50-topology.conf")];
        let line = drop_in
            .lines()
            .find_map(|line| line.strip_prefix("ReadWritePaths="));
        line.map(str::to_owned)
    };
    assert_eq!(paths("master@0").as_deref(), Some("\"-/srv/state\""));
    assert_eq!(paths("scene@0"), None);
}
