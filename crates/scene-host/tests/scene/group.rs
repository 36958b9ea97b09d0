//! A scene in a group.

use std::fs;

use bytes::Bytes;
use prost::Message as _;
use protocol::{
    method,
    v1::{self, CloseReason, NodeState},
};

use crate::{
    cluster::Group,
    stage::{alone, eventually, log, logged},
};

const SCRIPT: &str = r#"
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, [online_time, ip, gate_name]] if session_key else []

@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    ffext.broadcast_msg_session(1, ["enter", session])

@ffext.session_offline_callback
def offline(session, online_time):
    ffext.broadcast_msg_session(1, ["offline", session, online_time])

@ffext.session_call(2)
def echo(session, message):
    ffext.send_msg_session(session, 2, message)

@ffext.session_call(4)
def large(session, length):
    ffext.send_msg_session(session, 4, b"x" * length)

@ffext.session_call(3)
def close(session, message):
    ffext.close_session(session)
"#;

#[test]
fn a_gate_verifies_enters_talks_and_is_told_what_is_finished() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;

        assert_eq!(
            gate.verify("").await,
            v1::verify_response::Outcome::Refused("refused".to_owned())
        );
        let v1::verify_response::Outcome::Accepted(accepted) = gate.verify("ann").await else {
            panic!("turned away");
        };
        assert_eq!(accepted.reply, r#"[1700000000,"192.0.2.1","gate@0"]"#);

        let login = gate.enter("ann").await;
        assert!(login > accepted.login);
        // Broadcasts reach each gate, once, and name nobody.
        gate.delivered(None, r#"1: ["enter","ann"]"#).await;
        other.delivered(None, r#"1: ["enter","ann"]"#).await;
        assert_eq!(other.deliveries().len(), 1);

        for number in 0..100 {
            gate.frame(login, 2, &number.to_string());
        }
        gate.frame(login, 3, "null");
        eventually(
            || gate.finished() == 101,
            || format!("{} finished", gate.finished()),
        )
        .await;
        let echoes: Vec<_> = gate.deliveries().split_off(1);
        let expected: Vec<_> = (0..100).map(|n| (vec![login], format!("2: {n}"))).collect();
        assert_eq!(echoes, expected);
        let close = v1::Close::decode(gate.heard(method::GATE_CLOSE)[0].clone()).unwrap();
        assert_eq!(
            (close.login, close.reason()),
            (login, CloseReason::ClosedByScene)
        );

        gate.control(method::SESSION_OFFLINE, &v1::Offline { login, holding: 1 });
        gate.delivered(None, r#"1: ["offline","ann",1700000000]"#)
            .await;
        group.stop().await;
    });
}

#[test]
fn sessions_of_a_gate_that_leaves_are_offline() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;
        gate.enter("ann").await;
        other.enter("bob").await;
        gate.delivered(None, r#"1: ["enter","bob"]"#).await;
        gate.node.leave().await;
        other
            .delivered(None, r#"1: ["offline","ann",1700000000]"#)
            .await;
        group.stop().await;
        // Those who were left were told at the end.
        other
            .delivered(None, r#"1: ["offline","bob",1700000000]"#)
            .await;
    });
}

#[test]
fn whoever_enters_through_a_gate_that_is_still_joining_hears_the_broadcasts() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate_in_state("gate@0", NodeState::Joining).await;
        gate.report(&[], true);
        gate.enter("ann").await;
        gate.delivered(None, r#"1: ["enter","ann"]"#).await;
        group.stop().await;
    });
}

#[test]
fn the_longest_message_that_a_script_may_send_arrives() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let login = gate.enter("ann").await;
        // One byte more is an error, which says how many bytes may be.
        gate.frame(login, 4, &(1 << 20).to_string());
        logged("ValueError: a message has at most").await;
        let log = log();
        let (_, limit) = log.split_once("a message has at most ").unwrap();
        let limit: usize = limit.split(' ').next().unwrap().parse().unwrap();
        gate.frame(login, 4, &(limit + 1).to_string());
        gate.frame(login, 4, &limit.to_string());
        gate.delivered(Some(login), &format!("4: {}", "x".repeat(limit)))
            .await;
        group.stop().await;
    });
}

#[test]
fn the_directory_shows_script_and_load() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let script = || {
            gate.node
                .record(gate.scene)
                .and_then(|record| record.script.clone())
        };
        eventually(
            || script().is_some_and(|script| script.version == 1 && script.hash.len() == 12),
            || format!("{:?}", script()),
        )
        .await;
        fs::write(
            group.folder.path().join("main.py"),
            SCRIPT.replace("echo", "again"),
        )
        .unwrap();
        assert!(group.scene.script().reload(None).await.ok);
        eventually(
            || script().is_some_and(|script| script.version == 2),
            || format!("{:?}", script()),
        )
        .await;
        gate.enter("ann").await;
        let load = || gate.node.record(gate.scene).map(|record| record.load);
        eventually(
            || group.scene.node().record(gate.scene).is_some(),
            || format!("{:?}", load()),
        )
        .await;
        group.stop().await;
    });
}

#[test]
fn messages_that_are_none_harm_nothing() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let login = gate.enter("ann").await;
        let garbage = v1::VerifyRequest {
            session_key: "\u{7f}".repeat(40),
            ..v1::VerifyRequest::default()
        };
        for method in [
            method::SESSION_ENTER,
            method::SESSION_FRAME,
            method::SESSION_OFFLINE,
        ] {
            gate.control(method, &garbage);
        }
        gate.frame(login, 65_536, "no such cmd");
        let body = Bytes::from_static(b"\xff\xff");
        assert!(
            gate.node
                .call(gate.scene, method::SESSION_VERIFY, body)
                .await
                .is_err()
        );
        gate.frame(login, 2, "1");
        gate.delivered(Some(login), "2: 1").await;
        group.stop().await;
    });
}
