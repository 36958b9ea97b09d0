//! Asking the verifying scene who a client is.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use prost::Message;
use protocol::{
    CallError, ErrorKind, Login, NodeId, SessionId,
    v1::{VerifyRequest, VerifyResponse, verify_response::Outcome},
};
use session::gate::Scenes;
use tokio::time::Instant;
use topology::GateMode;
use tracing::warn;

use crate::{
    arrival::Client,
    login,
    owner::Authority,
    session::{Accepted, Denied},
    shared::Shared,
};

/// What a client that the script failed at is told; why it did is in the
/// scene's log and nobody else's business.
const SCRIPT_FAILED: &str = "verification failed";

/// The answer, and in whose name it was given.
pub(crate) type Verdict = Result<(Authority, Accepted), Denied>;

/// Asks; dropped, the question is withdrawn. Ends within the group's time for
/// a call.
pub(crate) fn ask(
    shared: &Arc<Shared>,
    session_key: String,
    online_time: u64,
    client: &Client,
) -> BoxFuture<'static, Verdict> {
    let shared = Arc::clone(shared);
    let (ip, kind) = (client.ip, client.kind);
    Box::pin(async move {
        let name = &shared.sessions.ways().verify;
        // Chosen now, so that the login is that gate's from its beginning.
        let choice = match shared.mode {
            GateMode::Game => None,
            GateMode::Login => match shared.sessions.gates.choose(kind, name) {
                Some(choice) => Some(choice),
                None => return Err(Denied::NoGate),
            },
        };
        let verdict = match shared.sessions.directory.ready(name) {
            None => Err(CallError::new(
                ErrorKind::NotFound,
                format!("{name} is not in the group"),
            )),
            Some(scene) => {
                let request = VerifyRequest {
                    session_key,
                    online_time,
                    ip: ip.to_canonical().to_string(),
                    gate_name: shared.name.to_string(),
                    for_gate: choice.as_ref().map_or(0, |choice| choice.gate().as_u64()),
                };
                let authority = shared.sessions.owner.authority(scene);
                let asked = Instant::now();
                let answer = shared.group.verify(scene, &request).await;
                let metrics = &shared.sessions.metrics;
                metrics.verify_seconds.record(asked.elapsed().as_secs_f64());
                answer.map(|answer| (authority, answer))
            }
        };
        let verdict = match verdict {
            Ok((authority, answer)) => decide(answer).map(|decided| (authority, decided)),
            Err(error) => Err(failed(&error)),
        };
        match verdict {
            Ok((authority, (accepted, None))) if choice.is_none() => Ok((authority, accepted)),
            Ok((authority, (accepted, Some(gate)))) => {
                let owner = authority.node;
                Err(login::redirect(&shared, gate, choice, owner, accepted, kind).await)
            }
            // It was given to this gate, which holds nobody.
            Ok((_, (accepted, None))) => {
                let Shared {
                    sessions, group, ..
                } = &*shared;
                sessions.owner.ended(accepted.login, &**group);
                Err(Denied::NoGate)
            }
            Err((denied, error)) => {
                if let Some(error) = error
                    && let Some(withheld) = shared.verify_log.turn(Instant::now())
                {
                    warn!(peer = %name, error, withheld, "client could not be verified");
                }
                Err(denied)
            }
        }
    })
}

/// A denial, and what to log of it.
type Failure = (Denied, Option<String>);

fn failed(error: &CallError) -> Failure {
    let denied = match error.kind {
        ErrorKind::Handler => Denied::Refused(SCRIPT_FAILED.to_owned()),
        _ => Denied::Unavailable,
    };
    (denied, Some(error.to_string()))
}

/// Who it is, and which gate is to hold it unless that is this one.
type Decided = (Accepted, Option<NodeId>);

fn decide(answer: Bytes) -> Result<Decided, Failure> {
    let wrong = |error: String| (Denied::Unavailable, Some(error));
    let response = VerifyResponse::decode(answer).map_err(|error| wrong(error.to_string()))?;
    match response.outcome {
        Some(Outcome::Accepted(accepted)) => {
            let session_id: SessionId = accepted
                .session_id
                .parse()
                .map_err(|error: protocol::NameError| wrong(error.to_string()))?;
            let gate = NodeId::from_u64(accepted.gate);
            let decided = Accepted {
                session_id,
                login: Login(accepted.login),
                reply: accepted.reply,
            };
            // Nobody is the broker's.
            Ok((decided, (gate != NodeId::BROKER).then_some(gate)))
        }
        Some(Outcome::Refused(text)) => Err((Denied::Refused(text), None)),
        Some(Outcome::Superseded(_)) => Err((Denied::Superseded, None)),
        Some(Outcome::NoGate(name)) => {
            let error = format!("{name}, which is to hold it, is not in the group");
            Err((Denied::NoGate, Some(error)))
        }
        None => Err(wrong("the answer says neither yes nor no".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decided(outcome: Option<Outcome>) -> Result<Accepted, Denied> {
        let answer = VerifyResponse { outcome }.encode_to_vec();
        let decided = decide(answer.into()).map(|(accepted, _)| accepted);
        decided.map_err(|(denied, _)| denied)
    }

    fn accepted(session_id: &str) -> Option<Outcome> {
        Some(Outcome::Accepted(protocol::v1::Accepted {
            session_id: session_id.to_owned(),
            login: 7,
            reply: "hello".into(),
            gate: 0,
        }))
    }

    #[test]
    fn answer_is_taken_at_its_word() {
        assert_eq!(decided(accepted("alice")).unwrap().login, Login(7));
        let refused = Some(Outcome::Refused("not today".to_owned()));
        assert_eq!(decided(refused), Err(Denied::Refused("not today".into())));
        let superseded = Some(Outcome::Superseded(protocol::v1::Superseded {}));
        assert_eq!(decided(superseded), Err(Denied::Superseded));
    }

    #[test]
    fn answer_that_makes_no_sense_lets_nobody_in() {
        for outcome in [None, accepted(""), accepted(&"x".repeat(129))] {
            assert_eq!(decided(outcome), Err(Denied::Unavailable));
        }
    }

    #[test]
    fn script_that_raises_refuses_and_a_scene_out_of_reach_is_unavailable() {
        let denied = |kind| failed(&CallError::new(kind, "Traceback: secret")).0;
        assert_eq!(
            denied(ErrorKind::Handler),
            Denied::Refused(SCRIPT_FAILED.to_owned())
        );
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::DeadlineExceeded,
            ErrorKind::Overloaded,
            ErrorKind::Unimplemented,
        ] {
            assert_eq!(denied(kind), Denied::Unavailable);
        }
    }

    proptest! {
        #[test]
        fn garbage_lets_nobody_in(bytes in prop::collection::vec(0x80u8.., 0..40)) {
            prop_assert!(decide(bytes.into()).is_err());
        }
    }
}
