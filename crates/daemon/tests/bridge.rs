//! How a bridge starts from a file of its own, and refuses to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use rustix::process::Signal;
use support::{Idle, self_signed};

const BRIDGES: &str = r#"
    [bridges."bridge@0"]
    http = "127.0.0.1:0"
    [bridges."bridge@1"]
    [[groups]]
    name = "GroupA"
    master = "127.0.0.1:10241"
    [[groups]]
    name = "GroupB"
    master = "127.0.0.1:11241"
"#;

/// As the bridge of that name.
fn bridge(topology: &str, name: &str) -> Idle {
    Idle::with_topology(topology).args(&["--bridge", "--name", name])
}

#[tokio::test]
async fn a_bridge_starts_between_its_groups_and_drains_like_any_daemon() {
    let mut running = bridge(BRIDGES, "bridge@0").start();
    running.logs("ready").await;
    running.signal(Signal::TERM);
    let (status, log) = running.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for said in [
        "bridge@0",
        "GroupA, GroupB",
        "serving http pages",
        "127.0.0.1:11241",
        "drained",
    ] {
        assert!(log.contains(said), "{said} is not in {log}");
    }
}

#[tokio::test]
async fn a_bridge_that_nobody_declares_is_refused_with_those_there_are() {
    for name in ["bridge@7", "gate@0"] {
        let (code, log) = bridge(BRIDGES, name).run().await;
        assert_eq!(code, 64, "{log}");
        assert!(log.contains(&format!("declares no node {name}")), "{log}");
        assert!(
            log.contains("the file's bridges are bridge@0, bridge@1"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn each_sort_of_file_is_refused_by_name_where_the_other_is_read() {
    let (code, log) = Idle::new("")
        .args(&["--bridge", "--name", "bridge@0"])
        .run()
        .await;
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("found     a group's file"), "{log}");
    let (code, log) = Idle::with_topology(BRIDGES)
        .args(&["--name", "gate@0"])
        .run()
        .await;
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("found     a bridge's file"), "{log}");
}

#[tokio::test]
async fn a_bridge_has_a_certificate_in_each_group_that_speaks_tls() {
    let tls = r#"
    authority = "authority.pem"
    certificate = "authority.pem"
    key = "{name}.key"
    "#;
    let start = |name: &'static str| {
        let idle = bridge(&format!("{BRIDGES}{tls}"), name);
        let folder = idle.folder.path();
        let (certificate, key) = self_signed(&["1.bridge.GroupB"]);
        std::fs::write(folder.join("authority.pem"), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
        idle
    };
    let (code, log) = start("bridge@0").run().await;
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("bridge@0 has no TLS: "), "{log}");
    assert!(log.contains("0.bridge.GroupB"), "{log}");
    assert!(log.contains("see groups.GroupB in "), "{log}");

    let mut running = start("bridge@1").start();
    running.logs("ready").await;
    let would_join = |group: &str| {
        let line = running
            .log
            .lines()
            .find(|line| line.contains("would join") && line.contains(group));
        line.unwrap().contains("encrypted=true")
    };
    assert!(
        would_join("GroupB") && !would_join("GroupA"),
        "{}",
        running.log
    );
}
