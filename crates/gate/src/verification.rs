//! Asking the verifying scene who a client is.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use prost::Message;
use protocol::{
    CallError, ErrorKind, Login, SessionId,
    v1::{VerifyRequest, VerifyResponse, verify_response::Outcome},
};
use session::gate::Scenes;
use tokio::time::Instant;
use tracing::warn;

use crate::{
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
    ip: IpAddr,
) -> BoxFuture<'static, Verdict> {
    let shared = Arc::clone(shared);
    Box::pin(async move {
        let name = &shared.sessions.ways().verify;
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
            Ok((authority, answer)) => decide(answer).map(|accepted| (authority, accepted)),
            Err(error) => Err(failed(&error)),
        };
        verdict.map_err(|(denied, error)| {
            if let Some(error) = error
                && let Some(withheld) = shared.verify_log.turn(Instant::now())
            {
                warn!(peer = %name, error, withheld, "client could not be verified");
            }
            denied
        })
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

fn decide(answer: Bytes) -> Result<Accepted, Failure> {
    let wrong = |error: String| (Denied::Unavailable, Some(error));
    let response = VerifyResponse::decode(answer).map_err(|error| wrong(error.to_string()))?;
    match response.outcome {
        Some(Outcome::Accepted(accepted)) => {
            let session_id: SessionId = accepted
                .session_id
                .parse()
                .map_err(|error: protocol::NameError| wrong(error.to_string()))?;
            Ok(Accepted {
                session_id,
                login: Login(accepted.login),
                reply: accepted.reply,
            })
        }
        Some(Outcome::Refused(text)) => Err((Denied::Refused(text), None)),
        Some(Outcome::Superseded(_)) => Err((Denied::Superseded, None)),
        None => Err(wrong("the answer says neither yes nor no".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decided(outcome: Option<Outcome>) -> Result<Accepted, Denied> {
        let answer = VerifyResponse { outcome }.encode_to_vec();
        decide(answer.into()).map_err(|(denied, _)| denied)
    }

    fn accepted(session_id: &str) -> Option<Outcome> {
        Some(Outcome::Accepted(protocol::v1::Accepted {
            session_id: session_id.to_owned(),
            login: 7,
            reply: "hello".into(),
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
