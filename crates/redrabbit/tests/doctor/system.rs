//! The file, the name of the machine, its clock and its units.

use crate::machine::{GROUP, Machine};

#[test]
fn before_anything_runs_a_good_machine_has_nothing_that_fails() {
    // Nobody is elsewhere, who would not reach a master on loopback.
    let machine = Machine::new(&GROUP.replace("game-9", "game-1"));
    // Whether scene-host is built is not the matter here, nor how many files a user may open.
    let found = machine.doctor(&[]);
    for check in [
        "topology",
        "machine",
        "addresses",
        "clock",
        "certificates",
        "units",
        "state",
    ] {
        assert!(found.is_good(check), "{check}: {found:?}");
    }
    let (text, fix) = found.one("master", "warn");
    assert!(text.contains("no node runs on this machine"), "{text}");
    assert!(fix.contains("redrabbit up"), "{fix}");
}

#[test]
fn a_wrong_file_is_all_that_matters_and_every_mistake_is_told() {
    let machine = Machine::new("group = \"Group A\"\n[master]\nlisten = 7\n");
    let found = machine.doctor(&[]);
    assert_eq!(found.code, 1);
    let (text, fix) = found.one("topology", "fail");
    assert!(text.contains("2 mistakes"), "{text}");
    assert!(fix.contains("redrabbit check"), "{fix}");
    assert!(found.wrong("machine").is_empty());
}

#[test]
fn a_machine_that_the_file_does_not_know_is_told_which_it_may_be() {
    let machine = Machine::new(GROUP);
    machine.write("machine", "gmae-1.example.net\n");
    let (text, fix) = machine.doctor(&[]).one("machine", "fail");
    assert!(text.contains("its machines are game-1, game-9"), "{text}");
    assert!(
        fix.starts_with("if this is game-1: put that name into "),
        "{fix}"
    );
    assert!(machine.doctor(&["--machine", "game-9"]).is_good("machine"));
    machine.write("machine", "two\nlines\n");
    let (text, _) = machine.doctor(&[]).one("machine", "fail");
    assert!(text.contains("holds several lines"), "{text}");
}

#[test]
fn a_clock_that_nothing_sets_is_warned_of() {
    let machine = Machine::new(GROUP);
    machine.program("timedatectl", "echo no");
    let (text, fix) = machine.doctor(&[]).one("clock", "warn");
    assert!(text.contains("not synchronised"), "{text}");
    assert!(fix.contains("timedatectl set-ntp true"), "{fix}");
}

#[test]
fn units_that_do_not_run_and_those_that_should_not_are_found() {
    let machine = Machine::new(GROUP);
    machine.program(
        "systemctl",
        "case $1 in\n\
         is-active) echo active; echo failed;;\n\
         list-units) echo redrabbit-master@0.service loaded active; \
         echo redrabbit-gate@7.service loaded active;;\n\
         is-enabled) echo disabled;;\nesac",
    );
    let found = machine.doctor(&["--systemd"]);
    assert_eq!(found.code, 1);
    let wrong: Vec<String> = found
        .wrong("units")
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        wrong,
        [
            "redrabbit-scene@0.service has failed, and is not started again",
            "redrabbit-gate@7.service runs, and the files place no such node here",
            "the nodes are not started when this machine is",
        ]
    );
    machine.program("systemctl", "exit 1");
    let (text, _) = machine.doctor(&["--systemd"]).one("units", "fail");
    assert_eq!(text, "systemd does not answer");
}

#[test]
fn people_see_a_mark_what_was_found_and_what_to_do() {
    let machine = Machine::new(GROUP);
    machine.write("main.py", "def f(:\n");
    let output = machine.command(&[]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("ok    topology      "), "{said}");
    assert!(said.contains("FAIL  python        "), "{said}");
    assert!(
        said.contains("\n                    to do: put it right"),
        "{said}"
    );
    assert!(said.lines().all(|line| line == line.trim_end()), "{said}");
    assert!(
        said.trim_end().lines().last().unwrap().contains("failed"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
}
