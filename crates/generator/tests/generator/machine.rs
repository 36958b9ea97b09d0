//! What this machine is called, and what becomes of a name that is of no use.

use std::{fs, os::unix::fs::symlink};

use crate::support::{GROUP, Machine};

#[test]
fn without_a_file_the_host_has_the_name() {
    let machine = Machine::named("");
    fs::remove_file(machine.etc().join("machine")).unwrap();
    let host = topology::this_machine();
    machine.file("topology.toml", GROUP.replace("edge-1", &host));
    assert_eq!(machine.generate().wanted(), ["redrabbit-gate@0.service"]);
}

#[test]
fn a_name_that_nobody_uses_is_told_with_those_that_there_are() {
    let machine = Machine::named("game-7");
    machine.file("topology.toml", GROUP);
    machine.generate().wants_nothing().says(&[
        "no node is started: none is on machine game-7; the files name edge-1, game-1, game-2\n",
    ]);
}

#[test]
fn a_file_that_holds_no_name_is_not_replaced_by_the_hosts() {
    for (name, found) in [
        ("", "holds nothing"),
        ("game-1\ngame-2", "holds several lines"),
        ("game 1", "holds several words"),
        ("../../../etc/passwd\0", "holds several words"),
    ] {
        let machine = Machine::named(name);
        machine.file("topology.toml", GROUP);
        let run = machine.generate();
        run.wants_nothing();
        run.says(&[
            "no node is started: /etc/redrabbit/machine ",
            found,
            "such as game-1",
        ]);
    }
    let machine = Machine::named("");
    machine
        .file("machine", b"\xff\xfe\xfd")
        .file("topology.toml", GROUP);
    machine.generate().wants_nothing().says(&["not UTF-8"]);
}

#[test]
fn a_name_that_is_a_path_names_a_machine_that_nobody_has() {
    let machine = Machine::named("../../../etc");
    machine.file("topology.toml", GROUP);
    machine
        .generate()
        .wants_nothing()
        .says(&["none is on machine ../../../etc"]);
}

#[test]
fn the_file_of_the_name_may_be_anything() {
    let machine = Machine::named("");
    machine.file("topology.toml", GROUP);
    let file = machine.etc().join("machine");
    for (target, found) in [("/dev/zero", "it is not a file"), (".", "it is not a file")] {
        fs::remove_file(&file).unwrap();
        symlink(target, &file).unwrap();
        machine.generate().wants_nothing().says(&[found]);
    }
}
