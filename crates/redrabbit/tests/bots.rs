//! `redrabbit bots` against a listener that plays a gate, well or badly.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use protocol::client::{CMD_VERIFY, FLAG_CLOSED, FLAG_NOTICE, Frame, FrameDecoder, encode_frame};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(30);

/// What a gate does about the `n`th frame of its `login`th connection, both from 0:
/// frame 0 is the login. What says that it closes ends the connection.
trait Conduct: Fn(usize, usize, &Frame) -> Vec<Bytes> + Send + Sync + 'static {}
impl<F: Fn(usize, usize, &Frame) -> Vec<Bytes> + Send + Sync + 'static> Conduct for F {}

async fn gate(conduct: impl Conduct) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let conduct = Arc::new(conduct);
    let logins = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let login = logins.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(socket, login, Arc::clone(&conduct)));
        }
    });
    address
}

async fn serve(mut socket: TcpStream, login: usize, conduct: Arc<impl Conduct>) {
    let mut buffer = BytesMut::new();
    let mut frames = 0;
    loop {
        while let Some(frame) = FrameDecoder::new(1 << 20).decode(&mut buffer).unwrap() {
            for answer in conduct(login, frames, &frame) {
                socket.write_all(&answer).await.unwrap();
                if answer[4..8] == [0, 0, 1, 0] {
                    return;
                }
            }
            frames += 1;
        }
        match socket.read_buf(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// The answer to a login, and every message back.
fn echo(frame: &Frame) -> Bytes {
    let body = if frame.cmd == CMD_VERIFY {
        &b"hello"[..]
    } else {
        &frame.body
    };
    encode_frame(frame.cmd, 0, body)
}

fn closed(reason: &str) -> Bytes {
    encode_frame(CMD_VERIFY, FLAG_CLOSED, reason.as_bytes())
}

fn start(gates: &[SocketAddr], args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
    command.arg("bots");
    for gate in gates {
        command.arg("--tcp").arg(gate.to_string());
    }
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The exit code, stdout and stderr of `redrabbit bots`.
async fn ended(child: Child) -> (i32, String, String) {
    let output = timeout(SOON, child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The exit code and the result of a short run.
async fn result(gates: &[SocketAddr], args: &[&str]) -> (i32, Value) {
    let short = ["--duration", "500ms", "--wait", "1s", "--json"];
    let (code, said, wrong) = ended(start(gates, &[args, &short].concat())).await;
    let report = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}\n{wrong}"));
    (code, report)
}

#[tokio::test]
async fn bots_log_in_under_their_names_and_hear_everything_in_order() {
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let heard = Arc::clone(&names);
    let address = gate(move |_, number, frame: &Frame| {
        if number == 0 {
            let name = String::from_utf8(frame.body.to_vec()).unwrap();
            heard.lock().unwrap().insert(name);
        } else {
            assert_eq!((frame.cmd, frame.body.len()), (7, 100));
        }
        vec![encode_frame(9, 0, b"news"), echo(frame)][usize::from(number == 0)..].to_vec()
    })
    .await;
    let args = [
        "--count", "20", "--rate", "100", "--cmd", "7", "--size", "100", "--name", "x",
    ];
    let (code, report) = result(&[address], &args).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["good"], true);
    assert_eq!(report["logins"], 20);
    assert!(report["sent"].as_u64().unwrap() >= 20 * 40, "{report}");
    assert_eq!(report["sent"], report["answered"]);
    assert_eq!(report["sent"], report["others"]);
    assert!(report["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
    let expected: BTreeSet<_> = (0..20).map(|number| format!("x{number}")).collect();
    assert_eq!(*names.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_closed_loop_has_as_many_messages_out_as_it_may_and_survives_a_loss() {
    let address = gate(|_, number, frame: &Frame| match number {
        // With one message out nothing follows that could show the gap.
        5 => vec![],
        _ => vec![echo(frame)],
    })
    .await;
    let args = ["--count", "1", "--in-flight", "1", "--duration", "2s"];
    let short = ["--wait", "1s", "--json"];
    let (code, said, _) = ended(start(&[address], &[&args[..], &short].concat())).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["lost"]), (1, &1.into()), "{report}");
    assert_eq!(report["unanswered"], 0);
    assert!(report["answered"].as_u64().unwrap() > 100, "{report}");
}

#[tokio::test]
async fn what_a_gate_loses_repeats_and_swaps_is_counted_apart() {
    let held = Mutex::new(None);
    let address = gate(move |_, number, frame: &Frame| match number {
        3 => vec![],
        5 => vec![echo(frame), echo(frame)],
        7 => {
            *held.lock().unwrap() = Some(echo(frame));
            vec![]
        }
        8 => vec![echo(frame), held.lock().unwrap().take().unwrap()],
        9 => vec![echo(frame), encode_frame(frame.cmd, 0, b"[9,\"y\"]")],
        _ => vec![echo(frame)],
    })
    .await;
    let (code, report) = result(&[address], &["--count", "1", "--rate", "100"]).await;
    assert_eq!(code, 1);
    for (what, expected) in [
        ("lost", 1),
        ("repeated", 1),
        ("out_of_order", 1),
        ("altered", 1),
    ] {
        assert_eq!(report[what], expected, "{what} in {report}");
    }
    assert_eq!(report["good"], false);
    assert_eq!(
        report["answered"].as_u64().unwrap() + 1,
        report["sent"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn what_is_out_when_the_wait_at_the_end_is_over_is_lost() {
    let address = gate(|_, number, frame: &Frame| match number {
        0..10 => vec![echo(frame)],
        _ => vec![],
    })
    .await;
    let (code, report) = result(&[address], &["--count", "2", "--rate", "100"]).await;
    assert_eq!((code, &report["answered"]), (1, &18.into()), "{report}");
    assert_eq!(report["lost"], report["unanswered"]);
    assert_eq!(report["absent"], 0);
    let lost = report["lost"].as_u64().unwrap();
    assert_eq!(lost + 18, report["sent"].as_u64().unwrap());
}

#[tokio::test]
async fn a_bot_that_is_closed_comes_back_and_what_was_in_hand_is_no_loss() {
    let logins = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&logins);
    let address = gate(move |login, number, frame: &Frame| {
        if number == 0 {
            seen.lock().unwrap().push(frame.body.clone());
        }
        match (login, number) {
            (0, 10) => vec![closed("scene_lost")],
            _ => vec![echo(frame)],
        }
    })
    .await;
    let args = ["--count", "1", "--rate", "100", "--reconnect"];
    let (code, report) = result(&[address], &args).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(
        (&report["reconnects"], &report["lost"]),
        (&1.into(), &0.into())
    );
    assert!(report["in_hand"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(report["ends"]["closed: scene_lost"], 1);
    assert_eq!(*logins.lock().unwrap(), ["bot-0", "bot-0"]);

    // Without being told to it does not, and that is not good.
    let address = gate(|_, number, frame: &Frame| match number {
        10 => vec![closed("idle")],
        _ => vec![echo(frame)],
    })
    .await;
    let (code, report) = result(&[address], &["--count", "1", "--rate", "100"]).await;
    assert_eq!((code, &report["absent"]), (1, &1.into()), "{report}");
    assert_eq!(report["ends"]["closed: idle"], 1);
}

#[tokio::test]
async fn bots_leave_a_gate_that_is_draining_for_the_next_and_lose_nothing() {
    let draining = gate(|_, number, frame: &Frame| {
        let mut answers = vec![echo(frame)];
        if number == 10 {
            answers.push(encode_frame(CMD_VERIFY, FLAG_NOTICE, b"draining"));
        }
        answers
    })
    .await;
    let other = gate(|_, _, frame: &Frame| vec![echo(frame)]).await;
    let args = ["--count", "10", "--rate", "100", "--reconnect"];
    let (code, report) = result(&[draining, other], &args).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["reconnects"], 5);
    assert_eq!(report["in_hand"], 0);
    assert_eq!(report["sent"], report["answered"]);
    assert_eq!(report["ends"]["left a gate that is draining"], 5);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let address = gate(|_, _, _: &Frame| vec![closed("the game is full")]).await;
    let (code, report) = result(&[address], &["--count", "3"]).await;
    assert_eq!((code, &report["absent"]), (1, &3.into()), "{report}");
    assert_eq!(report["ends"]["refused: the game is full"], 3);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let (code, report) = result(&[nobody], &["--count", "3"]).await;
    assert_eq!(code, 1);
    assert_eq!(report["ends"]["connection refused"], 3);
}

#[tokio::test]
async fn the_progress_is_a_table_and_ctrl_c_ends_the_sending() {
    let address = gate(|_, _, frame: &Frame| vec![echo(frame)]).await;
    let mut bots = start(&[address], &["--count", "5", "--duration", "1h"]);
    let mut progress = BufReader::new(bots.stderr.take().unwrap()).lines();
    let mut lines = Vec::new();
    for _ in 0..4 {
        let line = timeout(SOON, progress.next_line()).await.unwrap().unwrap();
        lines.push(line.unwrap());
    }
    assert!(
        lines[1].starts_with("TIME  CONNECTED    SENT  ANSWERED"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("0:01        5/5 "), "{lines:?}");
    assert!(lines[3].ends_with("    0      0        0"), "{lines:?}");
    let pid = Pid::from_raw(bots.id().unwrap() as i32).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (code, said, _) = ended(bots).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("good: nothing was lost, repeated or out of order"),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_command_line_is_told_before_anything_is_done() {
    for (args, text) in [
        (&["--count", "0"][..], "0 is not in 1..="),
        (&["--rate", "fast"], "expected a number from 0"),
        (&["--duration", "10"], "expected a time such as 500ms"),
        (&["--cmd", "65535"], "65535 is not in 1..=65534"),
        (&["--tcp", "x:1", "--topology", "y"], "cannot be used with"),
    ] {
        let (code, _, wrong) = ended(start(&[], args)).await;
        assert_eq!(code, 64, "{wrong}");
        assert!(wrong.contains(text), "{wrong}");
    }
    let (code, _, wrong) = ended(start(&[], &["--topology", "nowhere.toml"])).await;
    assert_eq!(code, 78);
    assert!(wrong.contains("nowhere.toml"), "{wrong}");
}
