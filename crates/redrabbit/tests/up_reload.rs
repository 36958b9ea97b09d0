//! SIGHUP to `up`: the file is read again.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use rustix::process::Signal;
use support::{Stage, Up, until};

/// What has happened since the group was up.
fn since(up: &Up) -> Vec<String> {
    let events = up.stage.events();
    let last = events.iter().rposition(|event| event == "ready gate@0");
    events[last.unwrap() + 1..].to_vec()
}

fn topology(up: &Up) -> String {
    fs::read_to_string(up.stage.path("topology.toml")).unwrap()
}

#[tokio::test]
async fn who_stays_is_told_who_is_gone_stops_and_who_is_new_starts() {
    let mut up = Stage::new().with_slave().up().comes_up().await;
    let edited = topology(&up).replace("slaves.\"slave@0\"", "slaves.\"slave@1\"");
    up.stage.write("topology.toml", &edited);
    up.signal(Signal::HUP);
    up.says("the topology is read again").await;
    until("all are told", || since(&up).len() == 7).await;
    let mut events = since(&up);
    let told = events.iter().filter(|event| event.starts_with("hung up"));
    assert_eq!(told.count(), 3, "{events:?}");
    events.retain(|event| !event.starts_with("hung up"));
    let expected = [
        "asked slave@0",
        "stopped slave@0",
        "started slave@1",
        "ready slave@1",
    ];
    assert_eq!(events, expected);
    up.signal(Signal::TERM);
    let (status, log, stage) = up.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(stage.living().is_empty());
    // In the order of their roles, the new one as well.
    let stopped = stage.events().len() - 4..;
    assert!(stage.events()[stopped][0].contains("slave@1"), "{log}");
}

#[tokio::test]
async fn who_has_to_be_started_again_is_named_and_left_alone() {
    let mut up = Stage::new().up().comes_up().await;
    let edited = topology(&up).replace("127.0.0.1:10242", "127.0.0.1:10250");
    up.stage.write("topology.toml", &edited);
    up.signal(Signal::HUP);
    up.says("gate@0 has to be started again").await;
    up.says("the topology is read again").await;
    assert!(since(&up).iter().all(|event| event.starts_with("hung up")));
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn with_restart_only_they_are_started_again() {
    let mut up = Stage::new().args(&["--restart"]).up().comes_up().await;
    let edited = topology(&up).replace("script = \"main.py\"", "script = \"main.py\"\nworkers = 2");
    up.stage.write("topology.toml", &edited);
    up.signal(Signal::HUP);
    up.says("the topology is read again").await;
    let mut events = since(&up);
    events.retain(|event| !event.starts_with("hung up"));
    let expected = [
        "asked scene@0",
        "stopped scene@0",
        "started scene@0",
        "ready scene@0",
    ];
    assert_eq!(events, expected);
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_wrong_file_is_refused_in_words_and_changes_nothing() {
    let mut up = Stage::new().up().comes_up().await;
    let right = topology(&up);
    up.stage
        .write("topology.toml", &format!("{right}\ncolour = 1\n"));
    up.signal(Signal::HUP);
    up.says("the topology is refused, everything stays").await;
    assert!(since(&up).is_empty());
    up.stage.write("topology.toml", &right);
    up.signal(Signal::HUP);
    up.says("the topology is read again").await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn apply_tells_the_up_that_runs_the_file() {
    let mut up = Stage::new().with_slave().up().comes_up().await;
    let edited = topology(&up).replace("[limits]", "[limits]\nframe_burst = 7");
    up.stage.write("edited.toml", &edited);
    let apply = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_redrabbit"));
        command
            .arg("apply")
            .arg(up.stage.path("edited.toml"))
            .arg("--to")
            .arg(up.stage.path("topology.toml"))
            .args(args)
            .stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, wrong)
    };
    let (code, said, wrong) = apply(&[]);
    assert_eq!(code, Some(0), "{wrong}");
    assert!(
        said.contains("limits.frame_burst  400   7   live"),
        "{said}"
    );
    assert!(said.contains("Nobody is restarted."), "{said}");
    assert!(said.contains("told redrabbit up"), "{said}");
    let kept = fs::read_to_string(up.stage.path("topology.toml.bak")).unwrap();
    assert!(!kept.contains("frame_burst"));

    // Somebody would stop: it asks, and here is nobody to ask.
    let (before, _) = edited.split_once("[slaves").unwrap();
    up.stage.write("edited.toml", before);
    let (code, _, wrong) = apply(&[]);
    assert_eq!(code, Some(64), "{wrong}");
    assert!(wrong.contains("say --yes"), "{wrong}");
    // A wrong file is not even shown.
    up.stage.write("edited.toml", "group = \"GroupA\"\n");
    let (code, said, wrong) = apply(&["--yes"]);
    assert_eq!((code, said.as_str()), (Some(78), ""), "{wrong}");
    assert_eq!(topology(&up), edited);

    up.stage.write("edited.toml", before);
    let (code, said, wrong) = apply(&["--yes"]);
    assert_eq!(code, Some(0), "{wrong}");
    assert!(
        said.contains("slave@0") && said.contains("stops it"),
        "{said}"
    );
    up.says("slave@0 stopped").await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended().await.0.code(), Some(0));
}
