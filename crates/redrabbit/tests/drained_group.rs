//! A group of real daemons is drained piece by piece while bots talk to it. The
//! daemons' programs have to be built, beside `redrabbit` itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

const BOTS: u64 = 40;

#[tokio::test]
async fn two_scenes_and_a_gate_are_drained_under_bots_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = topology(folder.path());
    let file = file.to_str().unwrap();
    let mut up = start(&["up", "--restart", file]);
    let mut log = lines::<ChildStdout>(up.stdout.take().unwrap());
    says(&mut log, "is up: ").await;

    let bots = BOTS.to_string();
    let mut bots = start(&[
        "bots",
        "--topology",
        file,
        "--count",
        &bots,
        "--reconnect",
        "--duration",
        "1h",
        "--json",
    ]);
    let mut progress = lines::<ChildStderr>(bots.stderr.take().unwrap());
    let everybody = format!(" {BOTS}/{BOTS} ");
    says(&mut progress, &everybody).await;

    let said = drain(&["scene@0", "--to", "scene@1", "--topology", file]).await;
    assert!(
        said.contains(&format!("drains: {BOTS} sessions; they go to scene@1")),
        "{said}"
    );
    assert!(said.contains("scene@0 has left the group after"), "{said}");
    says(&mut log, "scene@0 has ended: exit code 0").await;
    says(&mut log, "scene@0 is ready").await;

    let said = drain(&["scene@1", "--topology", file]).await;
    assert!(
        said.contains("they are held until scene@1 is back"),
        "{said}"
    );
    says(&mut log, "scene@1 is ready").await;

    let said = drain(&["gate@0", "--topology", file]).await;
    assert!(said.contains("gate@0 has left the group after"), "{said}");
    says(&mut log, "gate@0 is ready").await;
    loop {
        let row = says(&mut progress, &everybody).await;
        // Bots are spread evenly over two gates.
        if row.ends_with(&format!(" {}", BOTS / 2)) {
            break;
        }
    }

    interrupt(&bots);
    // It has more to say than anybody reads.
    tokio::spawn(async move { while let Ok(Some(_)) = progress.next_line().await {} });
    let Output { status, stdout, .. } = timeout(SOON, bots.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let report: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(status.code(), Some(0), "{report:#}");
    for (what, expected) in [
        ("lost", 0),
        ("repeated", 0),
        ("out_of_order", 0),
        ("in_hand", 0),
        ("absent", 0),
        ("reconnects", BOTS / 2),
    ] {
        assert_eq!(report[what], expected, "{what} in {report:#}");
    }
    assert_eq!(report["sent"], report["answered"]);

    interrupt(&up);
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    assert!(timeout(SOON, up.wait()).await.unwrap().unwrap().success());
}

/// Two gates and two scenes with the chat, at an address of their own.
fn topology(folder: &Path) -> PathBuf {
    let pid = std::process::id();
    let at = Ipv4Addr::new(
        127,
        64 | (pid >> 16 & 0x3f) as u8,
        (pid >> 8) as u8,
        pid as u8,
    );
    let chat = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scene-host/examples/chat/main.py");
    let text = format!(
        r#"
        group = "GroupA"
        [master]
        listen = "{at}:10241"
        state_dir = {folder:?}
        [gates."gate@0"]
        tcp = "{at}:10242"
        [gates."gate@1"]
        tcp = "{at}:10252"
        [scenes."scene@0"]
        script = {chat:?}
        [scenes."scene@1"]
        script = {chat:?}
        "#
    );
    let file = folder.join("topology.toml");
    fs::write(&file, text).unwrap();
    file
}

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_redrabbit"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What a drain that ends well has said.
async fn drain(args: &[&str]) -> String {
    let draining = start(&[&["drain"], args].concat()).wait_with_output();
    let output = timeout(SOON, draining).await.unwrap().unwrap();
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{wrong}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines<R: AsyncRead + Unpin>(output: R) -> Lines<BufReader<R>> {
    BufReader::new(output).lines()
}

/// Waits for a line with `text`.
async fn says<R: AsyncRead + Unpin>(output: &mut Lines<BufReader<R>>, text: &str) -> String {
    let mut heard = String::new();
    let reading = async {
        while let Some(line) = output.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
            heard.push_str(&line);
            heard.push('\n');
        }
        panic!("it ended without {text:?}:\n{heard}");
    };
    timeout(SOON, reading)
        .await
        .unwrap_or_else(|_| panic!("never said: {text}"))
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(child.id().unwrap() as i32).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}
