//! How a daemon refuses to start, and what it says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::net::TcpListener;

use support::{Idle, self_signed};

#[tokio::test]
async fn a_wrong_file_ends_it_with_78_and_every_mistake() {
    let wrong = r#"
        group = "GroupA"
        [master]
        listne = "127.0.0.1:0"
        [gates."gate@0"]
        tcp = 17
    "#;
    let idle = Idle::with_topology(wrong).args(&["--name", "gate@0"]);
    let (code, log) = idle.run().await;
    assert_eq!(code, 78, "{log}");
    assert!(
        log.contains("listne") && log.contains("gates.gate@0.tcp"),
        "{log}"
    );
    assert!(log.ends_with('\n') && !log.contains("Error"), "{log}");
}

#[tokio::test]
async fn a_missing_file_ends_it_with_78_and_its_name() {
    let idle = Idle::new("").args(&["--name", "gate@0"]);
    std::fs::remove_file(idle.folder.path().join("topology.toml")).unwrap();
    let (code, log) = idle.run().await;
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("topology.toml"), "{log}");
}

#[tokio::test]
async fn a_name_that_nobody_declares_is_refused_with_those_there_are() {
    let (code, log) = Idle::new("").args(&["--name", "gate@7"]).run().await;
    assert_eq!(code, 64, "{log}");
    assert!(log.contains("declares no node gate@7"), "{log}");
    assert!(log.contains("the file's gates are gate@0, gate@1"), "{log}");
}

#[tokio::test]
async fn the_name_of_another_role_is_refused() {
    let (code, log) = Idle::new("").args(&["--name", "scene@0"]).run().await;
    assert_eq!(code, 64, "{log}");
    assert!(
        log.contains("scene@0 is a scene, and this program runs a gate"),
        "{log}"
    );
}

#[tokio::test]
async fn a_wrong_command_line_ends_it_with_64() {
    let (code, log) = Idle::new("").run().await;
    assert_eq!(code, 64, "{log}");
    assert!(log.contains("--name"), "{log}");
}

#[tokio::test]
async fn help_is_no_mistake() {
    let (code, log) = Idle::new("").args(&["--help"]).run().await;
    assert_eq!(code, 0, "{log}");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_what_to_change() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let set = format!("gates.gate@0.tcp={taken}");
    let idle = Idle::new("").args(&["--name", "gate@0", "--set", &set]);
    let (code, log) = idle.run().await;
    assert_eq!(code, 1, "{log}");
    assert!(
        log.contains(&format!("gate@0 cannot listen on {taken}")),
        "{log}"
    );
    assert!(log.contains("change gates.gate@0.tcp in "), "{log}");
}

#[tokio::test]
async fn a_node_without_its_own_certificate_is_told_where_it_is_looked_for() {
    let security = r#"
        [security]
        authority = "authority.pem"
        certificate = "{name}.pem"
        key = "authority.pem"
    "#;
    let idle = Idle::new(security).args(&["--name", "gate@1"]);
    let folder = idle.folder.path().to_owned();
    let certificate = self_signed(&["1.gate.GroupA"]);
    std::fs::write(folder.join("authority.pem"), certificate.0).unwrap();
    let (code, log) = idle.run().await;
    assert_eq!(code, 78, "{log}");
    let path = folder.join("gate@1.pem");
    assert!(log.contains("gate@1 has no TLS: "), "{log}");
    assert!(log.contains(&path.display().to_string()), "{log}");
    assert!(log.contains("see [security] in "), "{log}");
}

#[tokio::test]
async fn a_node_with_the_certificate_of_another_is_refused() {
    let security = r#"
        [security]
        authority = "authority.pem"
        certificate = "authority.pem"
        key = "{name}.key"
    "#;
    let start = |name: &'static str| async move {
        let idle = Idle::new(security).args(&["--name", name]);
        let folder = idle.folder.path().to_owned();
        let (certificate, key) = self_signed(&["1.gate.GroupA"]);
        std::fs::write(folder.join("authority.pem"), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
        idle
    };
    let (code, log) = start("gate@0").await.run().await;
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("gate@0 has no TLS: "), "{log}");
    assert!(log.contains("0.gate.GroupA"), "{log}");

    let mut running = start("gate@1").await.start();
    running.logs("ready").await;
}
