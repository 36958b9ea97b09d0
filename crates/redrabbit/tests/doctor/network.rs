//! Addresses, ports, and what is heard of the master.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
};

use ffrpc::Services;
use protocol::v1::{NodeState, Role};
use serde_json::Value;

use crate::{
    group::Group,
    machine::{GROUP, Machine},
};

#[test]
fn an_address_of_another_machine_and_a_master_that_others_cannot_reach_are_found() {
    let topology = GROUP.replace("127.0.0.1:0", "192.0.2.1:10241") + "[security]\n";
    let machine = Machine::new(&(topology + "secret = \"x\"\nallow_plaintext = true\n"));
    let (text, fix) = machine.doctor(&[]).one("addresses", "fail");
    assert!(
        text.contains("192.0.2.1, which is no address of this"),
        "{text}"
    );
    assert!(fix.contains("master.listen"), "{fix}");

    let machine = Machine::new(&GROUP.replace("127.0.0.1:0", "127.0.0.1:10241"));
    let found = machine.doctor(&[]);
    // Nodes of game-9 shall come, and see nothing but their own loopback.
    let (text, _) = found.one("addresses", "fail");
    assert!(text.contains("nodes of game-9 cannot reach"), "{text}");
}

/// The topology of a machine whose gate listens there.
fn with_gate(port: u16) -> String {
    format!(
        "{GROUP}[gates.\"gate@0\"]\nmachine = \"game-1\"\ntcp = \"127.0.0.1:{port}\"\n\
         verify = \"scene@0\"\n"
    )
}

#[test]
fn a_port_of_another_program_is_found_with_whose_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Machine::new(&with_gate(listener.local_addr().unwrap().port()));
    let found = machine.doctor(&[]);
    assert_eq!(found.code, 1);
    let (text, fix) = found.one("ports", "fail");
    let own = format!("(process {}) listens on ", std::process::id());
    assert!(text.contains(&own) && text.ends_with("of gate@0"), "{text}");
    assert!(fix.contains("gates.gate@0.tcp"), "{fix}");
    drop(listener);
    assert!(machine.doctor(&[]).is_good("ports"));
}

#[test]
fn a_port_that_the_node_itself_holds_is_good() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let machine = Machine::new(&with_gate(port));
    drop(free);
    let listens = format!(
        "import socket, sys\ns = socket.socket()\n\
         s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         s.bind(('127.0.0.1', {port}))\ns.listen()\nprint('here', flush=True)\nsys.stdin.read()\n"
    );
    machine.write("gate", &listens);
    let mut gate = Command::new("python3")
        .arg(machine.path("gate"))
        .args(["--name", "gate@0", "--topology"])
        .arg(machine.path("topology.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = gate.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let found = machine.doctor(&[]);
    drop(gate.stdin.take());
    gate.wait().unwrap();
    assert!(found.is_good("ports"), "{found:?}");
    let held = |one: &Value| one["text"] == "1 port held by this machine's nodes";
    assert!(found.findings.iter().any(held), "{found:?}");
    // It is the one that does.
    assert_eq!(
        found.wrong("units")[0].0,
        "master@0 does not run here, and others of the file do"
    );
}

#[tokio::test]
async fn a_master_that_answers_is_heard_and_a_twin_elsewhere_found() {
    let group = Group::start(
        "[scenes.\"scene@0\"]\nscript = \"main.py\"\n[gates.\"gate@0\"]\n\
         tcp = \"127.0.0.1:0\"\n",
    )
    .await;
    let _gate = group.node("gate@0", Role::Gate, Services::new()).await;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_redrabbit"))
        .args(["doctor", "--json"])
        .arg(group.path("topology.toml"))
        .output()
        .await
        .unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let has = |check: &str, words: &str| {
        let mut of_it = findings.iter().filter(|one| one["check"] == check);
        of_it.any(|one| one["text"].as_str().unwrap().contains(words))
    };
    assert!(has("master", "it answers: 2 nodes"), "{findings:#?}");
    assert!(
        has("clock", "it shows what the master's shows"),
        "{findings:#?}"
    );
    assert!(
        has("twins", "gate@0 is in the group, and does not run here"),
        "{findings:#?}"
    );
    group.master.shutdown().await;
}

/// Something in the place of the gate's program, which runs until it is let go.
fn stand_in(folder: &std::path::Path) -> std::process::Child {
    let program = folder.join("gate");
    std::fs::write(
        &program,
        "import sys\nprint('here', flush=True)\nsys.stdin.read()\n",
    )
    .unwrap();
    let mut gate = Command::new("python3")
        .arg(program)
        .args(["--name", "gate@0", "--topology"])
        .arg(folder.join("topology.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = gate.stdout.take().unwrap();
    BufReader::new(stdout)
        .read_line(&mut String::new())
        .unwrap();
    gate
}

#[tokio::test]
async fn a_node_that_runs_here_and_does_not_serve_is_found() {
    let group = Group::start(
        "[scenes.\"scene@0\"]\nscript = \"main.py\"\n[gates.\"gate@0\"]\n\
         tcp = \"127.0.0.1:0\"\n",
    )
    .await;
    let topology = group.path("topology.toml");
    let mut gate = stand_in(topology.parent().unwrap());
    let of_master = async || {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_redrabbit"))
            .args(["doctor", "--json"])
            .arg(&topology)
            .output()
            .await
            .unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let mut wrong = findings
            .into_iter()
            .filter(|one| one["check"] == "master" && one["status"] == "warn");
        wrong
            .next()
            .map(|one| one["text"].as_str().unwrap().to_owned())
    };
    let says = |text: &str| Some(format!("gate@0 runs here and {text}"));
    assert_eq!(of_master().await, says("is not in the group"));
    let node = group.node("gate@0", Role::Gate, Services::new()).await;
    assert_eq!(of_master().await, None);
    node.set_state(NodeState::Draining);
    group
        .until("gate@0 drains", |nodes| {
            nodes.iter().any(|node| node["state"] == "draining")
        })
        .await;
    assert_eq!(of_master().await, says("is about to end: it drains"));
    drop(gate.stdin.take());
    gate.wait().unwrap();
    group.master.shutdown().await;
}

#[test]
fn a_bridge_says_which_groups_it_would_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let (there, nowhere) = (listener.local_addr().unwrap(), free.local_addr().unwrap());
    drop(free);
    let machine = Machine::new(&format!(
        "[bridges.\"bridge@0\"]\nmachine = \"game-1\"\n[[groups]]\nname = \"GroupA\"\n\
         master = \"{there}\"\n[[groups]]\nname = \"GroupB\"\nmaster = \"{nowhere}\"\n"
    ));
    let (text, fix) = machine.doctor(&[]).one("master", "fail");
    assert!(
        text.contains("the master of GroupB: connection refused"),
        "{text}"
    );
    assert!(fix.contains("start the master of GroupB"), "{fix}");
}
