//! A scene's process is exchanged under its sessions, and its world stays.

use std::{fs, time::Duration};

use tests::{Cluster, Members, Signal, TRAVELLER, eventually};

use crate::{
    stage,
    traveller::{Plan, stays},
};

const CLIENTS: usize = 200;

/// Counts every frame there ever was, and hands the count on.
const WORLD: &str = r#"
class World:
    frames = 0

world = ffext.singleton(World)

@ffext.session_call(1, type="raw")
def count_all(session_id, body):
    world.frames += 1
    count(session_id, body)

@ffext.snapshot(version=1)
async def save():
    note("snapshot", "world", world.frames)
    return {"frames": world.frames}

@ffext.restore
async def load(value, version):
    world.frames += value["frames"]
    note("restore", "world", world.frames)
"#;

const PLAN: Plan = Plan {
    pause: Duration::from_millis(50),
    in_flight: 12,
    next: stays,
};

/// The lines of what happened in a process.
fn journal(cluster: &Cluster, process: u32) -> Vec<String> {
    let path = cluster.folder().join(format!("journal.{process}"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The number that follows these words, wherever that is.
fn number(lines: &[String], words: &str) -> u64 {
    let line = lines.iter().find_map(|line| line.strip_prefix(words));
    let line = line.unwrap_or_else(|| panic!("no {words} in {lines:?}"));
    line.parse().unwrap()
}

#[tokio::test]
async fn a_scene_is_upgraded_twice_under_connected_clients_and_its_world_goes_on() {
    let script = format!("{TRAVELLER}\n{WORLD}");
    let mut cluster = Cluster::start(Members {
        gates: 2,
        scenes: 1,
        slaves: 0,
        script: &script,
        more: "[limits]\nlease = \"1s\"\n",
    })
    .await;
    let mut crowd = stage::crowd(&cluster, "gate@0", CLIENTS / 2, PLAN).await;
    crowd.extend(stage::crowd(&cluster, "gate@1", CLIENTS / 2, PLAN).await);
    let mut processes = vec![cluster.process("scene@0").id()];
    for _ in 0..2 {
        let process = *processes.last().unwrap();
        eventually("all have entered", async || {
            let entered = stage::journals(&cluster).count(process, "enter");
            (entered == CLIENTS).then_some(())
        })
        .await;
        cluster.end("scene@0", Signal::TERM).await;
        cluster.run("scene@0");
        processes.push(cluster.process("scene@0").id());
    }
    let mut sent = 0;
    for traveller in crowd {
        let tally = traveller.stop().await;
        assert_eq!((tally.closed, tally.missing), (None, 0));
        sent += tally.sent;
    }
    cluster.end("scene@0", Signal::TERM).await;

    let mut world = 0;
    for (place, process) in processes.into_iter().enumerate() {
        let lines = journal(&cluster, process);
        let wrong = |line: &&String| line.starts_with("wrong");
        assert_eq!(lines.iter().find(wrong), None);
        if place > 0 {
            // Before anybody has entered.
            assert_eq!(lines[0], format!("restore world {world}"));
        }
        world = number(&lines, "snapshot world ");
        assert!(world > 0);
    }
    // Every frame was counted once.
    assert_eq!(world, sent);
    let state = cluster.folder().join("state/GroupA/scene@0");
    let mut files: Vec<_> = fs::read_dir(state)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("snapshot"))
        .collect();
    files.sort();
    assert_eq!(files, ["snapshot", "snapshot.restored"]);
}
