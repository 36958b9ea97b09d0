//! A disk that is full: what is on it stays as it was, and players play on.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use client::Client;
use serde_json::{Value, json};
use tests::{Cluster, MASTER, Members, Player, Process, Signal, eventually};

use crate::again::is_within;

/// Counts what it is sent, hands the count on, and gives ids.
const SCRIPT: &str = r#"
import ffext
count = 0

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]

@ffext.snapshot(version=1)
def save():
    return count

@ffext.restore
def load(value, version):
    global count
    count = value

@ffext.session_call(1)
def add(session_id, msg):
    global count
    count += 1
    ffext.send_msg_session(session_id, 1, count)

@ffext.session_call(2)
def number(session_id, msg):
    try:
        ffext.send_msg_session(session_id, 2, ffext.alloc_id())
    except RuntimeError as error:
        ffext.send_msg_session(session_id, 2, str(error))
"#;

const FULL: &str = "No space left on device";

/// The state of a group, on a disk of its own, in mounts that nobody else sees.
struct Disk<'c>(&'c Path);

impl Disk<'_> {
    /// Puts what is in the folder on a small one.
    fn under(folder: &Path) -> Disk<'_> {
        let at = folder.to_str().unwrap();
        let aside = format!("{at}.aside");
        run(&["cp", "--archive", at, &aside]);
        run(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "size=256k,mode=0700",
            "none",
            at,
        ]);
        run(&["cp", "--archive", &format!("{aside}/."), at]);
        Disk(folder)
    }

    fn is_full(&self) {
        // Ends with an error when there is no room.
        let zeros = vec![0; 1 << 20];
        fs::write(self.0.join("other"), zeros).unwrap_err();
    }

    fn has_room(&self) {
        fs::remove_file(self.0.join("other")).unwrap();
    }

    /// The files of the group, with what is in them.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.0.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("other") {
                    let content = fs::read(&path).unwrap();
                    files.insert(path.display().to_string(), content);
                }
            }
        }
        files
    }
}

fn run(command: &[&str]) {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Ends the scene and starts it again: what the one that has ended has logged.
async fn restart_scene(cluster: &mut Cluster) -> String {
    cluster.signal("scene@0", Signal::TERM);
    let log = eventually("the scene stops", async || {
        let log = cluster.log("scene@0");
        log.contains("daemon::run: stopped").then_some(log)
    })
    .await;
    cluster.has_ended("scene@0").await;
    cluster.run("scene@0");
    cluster.has("scene@0").await;
    log
}

#[tokio::test]
async fn a_full_disk_leaves_what_is_on_it_and_the_sessions_as_they_are() {
    let name = "full_disk::a_full_disk_leaves_what_is_on_it_and_the_sessions_as_they_are";
    if !is_within(
        name,
        &["unshare", "--mount", "--propagation", "private"],
        &[],
    ) {
        return;
    }
    let mut cluster = Cluster::start(Members {
        gates: 1,
        scenes: 1,
        slaves: 1,
        script: SCRIPT,
        more: "",
    })
    .await;
    let state = cluster.folder().join("state");
    let disk = Disk::under(&state);
    let client = Client::connect_tcp(cluster.tcp("gate@0")).await.unwrap();
    let mut alice = Player::login(client, "alice").await.unwrap();
    assert_eq!(alice.asks(1, Value::Null).await, json!(1));
    let log = restart_scene(&mut cluster).await;
    assert!(log.contains("snapshot written"), "{log}");
    assert_eq!(alice.asks(1, Value::Null).await, json!(2));
    let id = alice.asks(2, Value::Null).await.as_u64().unwrap();

    disk.is_full();
    let before = disk.files();
    let names = ["snapshot.restored", "/ids", ".epoch"];
    for name in names {
        assert!(before.keys().any(|path| path.ends_with(name)), "{before:?}");
    }
    // The scene ends all the same, and says what it could not do.
    let log = restart_scene(&mut cluster).await;
    assert!(
        log.contains("snapshot not written: the next process begins without"),
        "{log}"
    );
    assert!(log.contains(FULL), "{log}");
    assert_eq!(alice.asks(1, Value::Null).await, json!(1));
    // What has to be kept is not given.
    let refused = alice.asks(2, Value::Null).await;
    let refused = refused.as_str().unwrap();
    assert!(
        refused.starts_with("what ids are given cannot be kept in "),
        "{refused}"
    );
    assert!(refused.contains(FULL), "{refused}");

    // A master does not start on a guess, and nobody misses it.
    cluster.end(MASTER, Signal::KILL).await;
    let topology = cluster.topology();
    let arguments = ["--topology", topology.to_str().unwrap(), "--name", MASTER];
    let mut master = Process::start("broker-master", &arguments, &cluster.folder().join("log"));
    assert_eq!(master.ended().await.code(), Some(1));
    let log = master.log();
    assert!(log.contains("the epoch file "), "{log}");
    assert_eq!(log.matches(FULL).count(), 1, "{log}");
    assert_eq!(alice.asks(1, Value::Null).await, json!(2));
    assert_eq!(disk.files(), before);

    disk.has_room();
    cluster.run(MASTER);
    cluster.is_ready().await;
    let log = restart_scene(&mut cluster).await;
    assert!(log.contains("snapshot written"), "{log}");
    assert_eq!(alice.asks(1, Value::Null).await, json!(3));
    assert!(alice.asks(2, Value::Null).await.as_u64().unwrap() > id);
}
