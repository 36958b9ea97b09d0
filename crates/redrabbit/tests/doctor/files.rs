//! Certificates, secrets, scripts and state.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{
    authority::Authority,
    machine::{GROUP, Machine},
};

#[test]
fn certificates_that_end_are_of_others_or_missing_are_told_apart() {
    let tls = "[security]\nsecret = \"x\"\nauthority = \"authority.pem\"\n\
               certificate = \"{name}.pem\"\nkey = \"{name}.key\"\n";
    let machine = Machine::new(&format!("{GROUP}{tls}"));
    let authority = Authority::new(machine.folder.path());
    let days = |days: u64| Duration::from_secs(days * 86_400 + 3_600);
    authority.certify("master@0", "0.master.GroupA");
    let soon = SystemTime::now() + days(10);
    authority.certify_until("scene@0", "0.scene.GroupA", soon);
    for file in ["topology.toml", "master@0.key", "scene@0.key"] {
        machine.mode(file, 0o600);
    }
    let found = machine.doctor(&[]);
    let (text, _) = found.one("certificates", "warn");
    assert!(text.contains("scene@0 expires in 10 days, on 20"), "{text}");
    assert!(found.is_good("secrets"), "{found:?}");

    let past = SystemTime::now() - days(3);
    authority.certify_until("scene@0", "0.scene.GroupA", past);
    let (text, fix) = machine.doctor(&[]).one("certificates", "fail");
    assert!(text.contains("it expired 3 days ago"), "{text}");
    assert!(fix.contains("sign another"), "{fix}");

    let old = Authority::until(machine.folder.path(), SystemTime::now() + days(7));
    old.certify("master@0", "0.master.GroupA");
    old.certify("scene@0", "0.scene.GroupA");
    let (text, fix) = machine.doctor(&[]).one("certificates", "warn");
    assert!(
        text.contains("authority.pem, the authority, expires in 7 days, on 20"),
        "{text}"
    );
    assert!(fix.starts_with("make another authority: both in"), "{fix}");
    // Nodes still believe what it has signed.
    let old = Authority::until(machine.folder.path(), SystemTime::now() - days(7));
    old.certify("master@0", "0.master.GroupA");
    old.certify("scene@0", "0.scene.GroupA");
    let (text, _) = machine.doctor(&[]).one("certificates", "warn");
    assert!(text.contains("the authority, expired on 20"), "{text}");

    let authority = Authority::new(machine.folder.path());
    authority.certify("master@0", "0.master.GroupA");
    authority.certify("scene@0", "0.gate.GroupA");
    let (text, _) = machine.doctor(&[]).one("certificates", "fail");
    assert!(text.contains("not of `0.scene.GroupA`"), "{text}");

    fs::remove_file(machine.path("scene@0.pem")).unwrap();
    let (text, _) = machine.doctor(&[]).one("certificates", "fail");
    assert!(text.contains("scene@0.pem` cannot be read"), "{text}");

    authority.certify("scene@0", "0.scene.GroupA");
    let found = machine.doctor(&[]);
    assert!(found.is_good("certificates"), "{found:?}");
}

#[test]
fn what_a_gate_shows_its_clients_is_looked_at_too() {
    let gate = "[gates.\"gate@0\"]\nmachine = \"game-1\"\ntcp = \"127.0.0.1:0\"\ncertificate = \"game.pem\"\nkey = \"game.key\"\n";
    let machine = Machine::new(&format!("{GROUP}{gate}"));
    let authority = Authority::new(machine.folder.path());
    let (text, _) = machine.doctor(&[]).one("certificates", "fail");
    assert!(text.contains("game.pem` cannot be read"), "{text}");
    let soon = SystemTime::now() + Duration::from_secs(10 * 86_400 + 3_600);
    authority.certify_until("game", "game.example.net", soon);
    machine.mode("game.key", 0o644);
    let found = machine.doctor(&[]);
    let (text, _) = found.one("certificates", "warn");
    assert!(
        text.contains("which gate@0 shows clients, expires in 10 days"),
        "{text}"
    );
    let (text, _) = found.one("secrets", "fail");
    assert!(text.contains("game.key"), "{text}");
    authority.certify("game", "game.example.net");
    machine.mode("game.key", 0o600);
    let found = machine.doctor(&[]);
    assert!(
        found.is_good("certificates") && found.is_good("secrets"),
        "{found:?}"
    );
}

#[test]
fn secrets_that_everybody_may_read_are_found() {
    let machine = Machine::new(&format!("{GROUP}[security]\nsecret_file = \"secret\"\n"));
    machine.write("secret", "sesame");
    machine.mode("secret", 0o640);
    assert!(machine.doctor(&[]).is_good("secrets"));
    machine.mode("secret", 0o644);
    let (text, fix) = machine.doctor(&[]).one("secrets", "fail");
    assert!(text.ends_with("(mode 0644)"), "{text}");
    assert!(fix.starts_with("`chmod o= "), "{fix}");
    assert!(!format!("{text}{fix}").contains("sesame"));
}

#[test]
fn a_script_that_does_not_compile_or_is_not_there_is_found() {
    let machine = Machine::new(GROUP);
    machine.write("main.py", "def f(:\n    pass\n");
    let wrong = |words: &str| {
        let found = machine.doctor(&[]);
        assert_eq!(found.code, 1);
        let wrong = found.wrong("python");
        assert!(
            wrong.iter().any(|(text, _)| text.contains(words)),
            "{wrong:?}"
        );
    };
    wrong("main.py of scene@0 does not compile: SyntaxError: ");
    machine.write("main.py", "x = '\0'\n");
    wrong("does not compile");
    fs::remove_file(machine.path("main.py")).unwrap();
    wrong("main.py, which is not there");
    assert!(!machine.path("__pycache__").exists());
}

#[test]
fn a_machine_without_python3_is_no_worse_for_it() {
    let machine = Machine::new(GROUP);
    // Programs that stand in for the system's, and nothing else.
    let output = machine
        .command(&["--json"])
        .env("PATH", machine.folder.path())
        .output()
        .unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let script = findings
        .iter()
        .find(|one| one["text"].as_str().unwrap().contains("no python3 is"));
    assert_eq!(script.unwrap()["status"], "ok", "{findings:#?}");
}

#[test]
fn a_folder_of_state_that_cannot_be_made_is_found() {
    let machine = Machine::new(GROUP);
    // /proc takes no folders, not even root's.
    let output = machine
        .command(&["--json", "--set", "master.state_dir=/proc/1/none"])
        .output()
        .unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let state = findings
        .iter()
        .find(|one| one["status"] != "ok" && one["check"] == "state");
    assert!(state.is_some(), "{findings:#?}");
}
