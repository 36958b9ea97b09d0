//! The clock of a machine that jumps by an hour, under libfaketime: what daemons, and
//! Python in them, see of the clock is shifted by what a file says.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use client::{Client, ClientError};
use protocol::v1::NodeState;
use serde_json::{Value, json};
use tests::{Cluster, MASTER, Members, Player, Signal, binary, eventually, slave};

use crate::again::{is_within, passed_over};

/// Answers at once, with an id, or a second later.
const SCRIPT: &str = r#"
import asyncio
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]

@ffext.session_call(1)
def echo(session_id, msg):
    ffext.send_msg_session(session_id, 1, msg)

@ffext.session_call(2)
def number(session_id, msg):
    ffext.send_msg_session(session_id, 2, ffext.alloc_id())

@ffext.session_call(3, concurrent=True)
async def later(session_id, msg):
    await asyncio.sleep(1)
    ffext.send_msg_session(session_id, 3, "later")
"#;

/// Long enough for a machine that is busy.
const LEASE: Duration = Duration::from_secs(2);

/// Where it is told by how much the clock is wrong.
const FILE: &str = "REDRABBIT_CLOCK";

/// The clock of this test's daemons.
struct Clock(PathBuf);

impl Clock {
    /// In a run of its own: the test `name` begins with this.
    fn of(name: &str) -> Option<Clock> {
        if let Some(file) = std::env::var_os(FILE) {
            return Some(Clock(file.into()));
        }
        let Some(library) = library() else {
            passed_over("libfaketime is not installed: apt install faketime");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock(folder.path().join("clock"));
        clock.is_ahead_by(0);
        let file = clock.0.as_os_str();
        let variables: [(&str, &OsStr); 5] = [
            (FILE, file),
            ("LD_PRELOAD", library.as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".as_ref()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ];
        is_within(name, &[], &variables);
        None
    }

    fn is_ahead_by(&self, seconds: i64) {
        // Whoever looks meanwhile sees the old file or the new one.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists())
}

async fn login(cluster: &Cluster, gate: &str, name: &str) -> Player {
    eventually("the player is let in", async || {
        let client = Client::connect_tcp(cluster.tcp(gate)).await.unwrap();
        match Player::login(client, name).await {
            Err(ClientError::Refused { reason }) if reason == "verify_unavailable" => None,
            login => Some(login.unwrap()),
        }
    })
    .await
}

/// An id, higher than any before.
async fn takes_id(player: &mut Player, highest: &mut u64) {
    let id = player.asks(2, Value::Null).await.as_u64().unwrap();
    assert!(id > *highest, "{id} comes after {highest}");
    *highest = id;
}

/// Who is in the group, with their ids.
async fn members(cluster: &Cluster) -> Vec<(String, u64)> {
    let nodes = cluster.nodes().await.unwrap();
    let mut members: Vec<_> = nodes
        .into_iter()
        .map(|node| (node.name, node.node_id))
        .collect();
    members.sort();
    members
}

fn known(members: &[(String, u64)], name: &str) -> u64 {
    let found = members.iter().find(|(member, _)| member == name);
    found.map(|(_, id)| *id).unwrap()
}

const HOUR: i64 = 3600;

#[tokio::test]
async fn a_jump_ends_no_lease_and_no_call_and_no_number_is_given_twice() {
    let name = "clock::a_jump_ends_no_lease_and_no_call_and_no_number_is_given_twice";
    let Some(clock) = Clock::of(name) else { return };
    let mut cluster = Cluster::start(Members {
        gates: 2,
        scenes: 1,
        slaves: 1,
        script: SCRIPT,
        more: "[limits]\nlease = \"2s\"\n",
    })
    .await;
    let mut alice = login(&cluster, "gate@0", "alice").await;
    let mut bob = login(&cluster, "gate@1", "bob").await;
    let before = members(&cluster).await;
    let mut highest = 0;
    takes_id(&mut alice, &mut highest).await;

    for ahead in [HOUR, -HOUR, 0, -HOUR] {
        alice.send(3, Value::Null).await;
        clock.is_ahead_by(ahead);
        let jumped = Instant::now();
        // A lease would be over by then.
        while jumped.elapsed() < LEASE.mul_f64(1.5) {
            takes_id(&mut bob, &mut highest).await;
            assert_eq!(members(&cluster).await, before, "ahead by {ahead}");
        }
        assert_eq!(alice.hears(3).await, json!("later"));
        assert_eq!(alice.asks(1, json!([1])).await, json!([1]));
    }

    // What starts now finds what was given by a clock that was an hour ahead.
    cluster.end("scene@0", Signal::KILL).await;
    cluster.run("scene@0");
    eventually("the new scene is ready", async || {
        let nodes = cluster.nodes().await?;
        let scene = nodes.into_iter().find(|node| node.name == "scene@0")?;
        let is_new = scene.node_id != known(&before, "scene@0");
        (is_new && scene.state() == NodeState::Ready).then_some(())
    })
    .await;
    takes_id(&mut bob, &mut highest).await;
    // A login of now is newer than one of then.
    let mut again = login(&cluster, "gate@1", "alice").await;
    assert_eq!(alice.is_closed().await, "replaced");
    takes_id(&mut again, &mut highest).await;

    // So is a run of the master, and whoever joins it.
    let before = members(&cluster).await;
    cluster.end(MASTER, Signal::KILL).await;
    cluster.run(MASTER);
    cluster.is_ready().await;
    let slave = slave(0);
    cluster.end(&slave, Signal::TERM).await;
    cluster.run(&slave);
    cluster.is_ready().await;
    let after = members(&cluster).await;
    assert!(known(&after, &slave) > before.iter().map(|(_, id)| *id).max().unwrap());
    for stays in ["gate@0", "gate@1", "scene@0"] {
        assert_eq!(known(&after, stays), known(&before, stays), "{stays}");
    }
    takes_id(&mut again, &mut highest).await;
    clock.is_ahead_by(HOUR);
    takes_id(&mut bob, &mut highest).await;
}

#[test]
fn a_certificate_of_tomorrow_is_told_with_the_question_for_the_clock() {
    let name = "clock::a_certificate_of_tomorrow_is_told_with_the_question_for_the_clock";
    let Some(clock) = Clock::of(name) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let topology = "group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:0\"\n[security]\n\
                    secret = \"x\"\nauthority = \"master.pem\"\ncertificate = \"master.pem\"\n\
                    key = \"master.key\"\n";
    fs::write(at.join("topology.toml"), topology).unwrap();
    self_signed(at);
    clock.is_ahead_by(-2 * HOUR);
    let output = Command::new(binary("broker-master"))
        .arg("--topology")
        .arg(at.join("topology.toml"))
        .args(["--name", "master@0"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("it is not valid yet, but in "), "{said}");
    assert!(
        said.contains("are the clocks of both machines right?"),
        "{said}"
    );
}

fn self_signed(at: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args([
            "ec_paramgen_curve:P-256",
            "-noenc",
            "-days",
            "1",
            "-subj",
            "/CN=x",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=DNS:0.master.GroupA"])
        .args(["-keyout", "master.key", "-out", "master.pem"])
        .current_dir(at)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}
