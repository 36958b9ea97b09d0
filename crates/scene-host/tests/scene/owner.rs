//! The host of the verifying scene owns sessions: who is let in, and when.

use std::time::Duration;

use prost::Message as _;
use protocol::{
    CallError, ErrorKind, NodeId, method,
    v1::{self, NodeState, Role, verify_response::Outcome},
};

use crate::{
    cluster::{Gate, Group},
    stage::{PATIENCE, alone, eventually, logged},
};

const SCRIPT: &str = r#"
import asyncio, ffext
slow = asyncio.Event()

@ffext.session_verify_callback
async def verify(session_key, online_time, ip, gate_name):
    if session_key == 'late':
        await asyncio.sleep(0.85)
    return [session_key]

@ffext.session_offline_callback
async def offline(session, online_time):
    print('offline begins', session)
    if session == 'slow':
        await slow.wait()
    print('offline ends', session)

@ffext.session_call(1)
def go_on(session, message):
    slow.set()
"#;

fn login_of(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Accepted(accepted) => accepted.login,
        other => panic!("turned away: {other:?}"),
    }
}

fn replaced(gate: &Gate) -> Vec<u64> {
    let bodies = gate.heard(method::GATE_REPLACE).into_iter();
    bodies
        .map(|body| v1::Replace::decode(body).unwrap().login)
        .collect()
}

async fn verify_within(gate: &Gate, key: &str, patience: Duration) -> Result<(), CallError> {
    let request = v1::VerifyRequest {
        session_key: key.to_owned(),
        gate_name: "gate@1".to_owned(),
        ..v1::VerifyRequest::default()
    };
    let body = request.encode_to_vec().into();
    let answer = gate
        .node
        .call_within(gate.scene, method::SESSION_VERIFY, body, patience);
    answer.await.map(drop)
}

async fn fence(scene: &Gate, of: NodeId) -> Result<(), ErrorKind> {
    let request = v1::Fence {
        gate: of.as_u64(),
        revision: scene.node.revision(),
    };
    let body = request.encode_to_vec().into();
    let answer = scene
        .node
        .call(scene.scene, method::SESSION_FENCE, body)
        .await;
    answer.map(drop).map_err(|error| error.kind)
}

#[test]
fn logins_rise_and_say_whose_they_are() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let mut last = 0;
        for name in ["ann", "bob", "carl"] {
            let login = login_of(gate.verify(name).await);
            assert!(login > last);
            // The low byte is the scene's index.
            assert_eq!(login & 0xff, 0);
            last = login;
        }
        // They start from the time, so that a restart does not repeat them.
        assert!(last >> 8 > 1_700_000_000_000_000);
        group.stop().await;
    });
}

#[test]
fn a_newer_login_is_let_in_when_the_older_one_has_ended_at_its_gate() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;
        let older = gate.enter("ann").await;
        let newer = login_of(other.verify("ann").await);
        assert!(newer > older);
        assert_eq!(replaced(&gate), [older]);
        assert!(replaced(&other).is_empty());
        // That one has ended by itself, so that nobody has to be replaced.
        other.control(
            method::OWNER_ENDED,
            &v1::Ended {
                logins: vec![newer],
            },
        );
        login_of(other.verify("ann").await);
        assert!(replaced(&other).is_empty());
        group.stop().await;
    });
}

#[test]
fn what_gates_report_is_replaced_too() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate_in_state("gate@0", NodeState::Ready).await;
        let future = u64::MAX / 2;
        gate.report(&[("ann", future)], false);
        gate.report(&[("bob", 7)], true);
        assert!(login_of(gate.verify("ann").await) > future);
        login_of(gate.verify("bob").await);
        assert_eq!(replaced(&gate), [future, 7]);
        group.stop().await;
    });
}

#[test]
fn nobody_is_let_in_before_every_gate_has_reported() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let silent = group.gate_in_state("gate@1", NodeState::Ready).await;
        let id = silent.node.id().unwrap();
        eventually(
            || group.scene.node().record(id).is_some(),
            || "the scene does not know the gate".to_owned(),
        )
        .await;
        let gate = group.gate("gate@0").await;
        let verify = gate.verify("ann");
        tokio::pin!(verify);
        tokio::select! {
            outcome = &mut verify => panic!("{outcome:?}"),
            () = logged("gate has reported its sessions") => {}
        }
        silent.report(&[("ann", 5)], true);
        login_of(verify.await);
        assert_eq!(replaced(&silent), [5]);
        group.stop().await;
    });
}

#[test]
fn a_gate_that_is_gone_is_fenced_before_its_sessions_are_let_in_elsewhere() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let other = group.gate("gate@1").await;
        let scene = group
            .member("scene@1", Role::Scene, NodeState::Joining)
            .await;
        gate.enter("slow").await;
        let friend = other.enter("friend").await;
        let gone = gate.node.id().unwrap();
        gate.node.leave().await;
        logged("offline begins slow").await;
        eventually(
            || other.node.record(gone).is_none() && scene.node.record(gone).is_none(),
            || "the gate is still there".to_owned(),
        )
        .await;
        // Until the offline is done, the scene holds it, and says so.
        let (verify, fence) = (other.verify("slow"), fence(&scene, gone));
        tokio::pin!(verify, fence);
        // Who is asked for behind them is let in meanwhile.
        let third = tokio::select! {
            biased;
            outcome = &mut verify => panic!("{outcome:?} beside a scene that holds it"),
            answer = &mut fence => panic!("{answer:?} beside a session"),
            outcome = other.verify("third") => outcome,
        };
        login_of(third);
        other.frame(friend, 1, "null");
        login_of(verify.await);
        assert_eq!(fence.await, Ok(()));
        assert_eq!(self::fence(&scene, NodeId::BROKER).await, Ok(()));
        group.stop().await;
    });
}

#[test]
fn a_drain_to_nowhere_is_refused_and_changes_nothing() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        gate.enter("ann").await;
        let drain = async |to_scene: &str| {
            let request = v1::DrainRequest {
                to_scene: to_scene.to_owned(),
            };
            gate.node
                .call_message::<v1::DrainResponse>(gate.scene, method::NODE_DRAIN, &request)
                .await
        };
        for (to_scene, reason) in [
            ("scene@7", "there is no scene@7 in the group"),
            ("scene@0", "cannot hand its sessions to itself"),
            ("nonsense", "no scene is called"),
        ] {
            let error = drain(to_scene).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Handler);
            assert!(error.message.contains(reason), "{error}");
        }
        login_of(gate.verify("bob").await);
        eventually(
            || group.scene.status().borrow().version == 1,
            || "no script".to_owned(),
        )
        .await;
        tokio::select! {
            biased;
            () = group.scene.drain_requested() => panic!("it was refused"),
            () = async {} => {}
        }
        let other = group.member("scene@1", Role::Scene, NodeState::Ready).await;
        let id = other.node.id().unwrap();
        eventually(
            || group.scene.node().record(id).is_some(),
            || "the scene does not know the other".to_owned(),
        )
        .await;
        drain("").await.unwrap();
        group.scene.drain_requested().await;
        // It does that, and nothing else any more.
        drain("").await.unwrap();
        let error = drain("scene@1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Handler);
        assert!(error.message.contains("ending already"), "{error}");
        group.stop().await;
    });
}

#[test]
fn what_gates_and_scenes_ask_is_refused_to_others_and_holds_up_nobody() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let stranger = group
            .member("scene@1", Role::Scene, NodeState::Joining)
            .await;
        // At first the directory may not say that it is none.
        let refused = async {
            while !matches!(
                verify_within(&stranger, "ann", Duration::from_secs(1)).await,
                Err(error) if error.kind == ErrorKind::Forbidden
            ) {}
        };
        tokio::time::timeout(PATIENCE, refused).await.unwrap();
        stranger.report(&[("bob", 7)], false);
        login_of(gate.verify("bob").await);
        assert!(replaced(&stranger).is_empty());
        let asked = fence(&gate, NodeId::BROKER).await;
        assert_eq!(asked, Err(ErrorKind::Forbidden));
        group.stop().await;
    });
}

#[test]
fn whom_logins_wait_for_is_said() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let silent = group.gate_in_state("gate@1", NodeState::Ready).await;
        let id = silent.node.id().unwrap();
        eventually(
            || group.scene.node().record(id).is_some(),
            || "the scene does not know the gate".to_owned(),
        )
        .await;
        let error = verify_within(&gate, "ann", Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        let expected = format!("logins wait for gate@1 ({id}) to report who is connected");
        assert_eq!(error.message, expected);
        logged("for gate@1").await;
        group.stop().await;
    });
}

#[test]
fn whom_the_script_accepts_too_late_is_not_let_in() {
    alone(|| async {
        let group = Group::start(SCRIPT).await;
        let gate = group.gate("gate@0").await;
        let error = verify_within(&gate, "late", Duration::from_secs(1))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
        // So that there is nobody to be replaced.
        login_of(gate.verify("late").await);
        assert!(replaced(&gate).is_empty());
        group.stop().await;
    });
}
