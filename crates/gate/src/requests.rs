//! What the group asks the gate, and waits for.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, ErrorKind, Login, NodeId,
    v1::{CloseReason, DrainResponse, Replace, ReserveRequest, ReserveResponse},
};
use tokio::{sync::oneshot, time::Instant};
use tracing::info;

use crate::{login, sessions::Sessions, tickets::Reserved};

/// `gate.replace`: the owner ends an older login. Answered when no scene holds
/// it any more.
pub(crate) fn replace(
    sessions: &Arc<Sessions>,
    source: NodeId,
    body: &Bytes,
) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
    let ended = begin_replacing(sessions, source, body);
    async move {
        if let Some(ended) = ended? {
            let lost = |_| CallError::new(ErrorKind::Unavailable, "the gate has lost the group");
            ended.await.map_err(lost)?;
        }
        Ok(Bytes::new())
    }
}

/// `gate.stand`: another gate would send clients here.
pub(crate) fn stand(
    sessions: &Arc<Sessions>,
    source: NodeId,
) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
    let stand = if sessions.gates.has(source) {
        Ok(sessions.stand().encode_to_vec().into())
    } else {
        Err(login::only_gates())
    };
    std::future::ready(stand)
}

/// `gate.reserve`: another gate sends a client here.
pub(crate) fn reserve(
    sessions: &Arc<Sessions>,
    source: NodeId,
    body: &Bytes,
) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
    std::future::ready(reserve_now(sessions, source, body))
}

fn reserve_now(sessions: &Sessions, source: NodeId, body: &Bytes) -> Result<Bytes, CallError> {
    if !sessions.gates.has(source) {
        return Err(login::only_gates());
    }
    let wrong = |error: String| {
        let message = format!("the request cannot be read: {error}");
        CallError::new(ErrorKind::Handler, message)
    };
    let request = ReserveRequest::decode(&**body).map_err(|error| wrong(error.to_string()))?;
    let session_id = request.session_id.parse();
    let session_id = session_id.map_err(|error: protocol::NameError| wrong(error.to_string()))?;
    let (owner, login) = (NodeId::from_u64(request.owner), Login(request.login));
    let reserved = if sessions.owner.is(owner) {
        let reserved = Reserved {
            session_id,
            login,
            authority: sessions.owner.authority(owner),
        };
        let present = sessions.table.len();
        sessions.tickets.reserve(reserved, present, Instant::now())
    } else {
        let message = "another scene verifies clients here";
        Err(CallError::new(ErrorKind::Unavailable, message))
    };
    let ticket = reserved.inspect_err(|_| {
        // The login is this gate's, and nobody will come for it.
        if let Some(group) = sessions.group() {
            sessions.owner.ended(login, &*group);
        }
    })?;
    sessions.metrics.ticket("given");
    let response = ReserveResponse {
        ticket: Bytes::copy_from_slice(&ticket.0),
        stand: Some(sessions.stand()),
    };
    Ok(response.encode_to_vec().into())
}

/// `node.drain`: an operator wants the gate to end.
pub(crate) fn drain(
    sessions: &Arc<Sessions>,
) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
    let response = DrainResponse {
        sessions: sessions.table.len() as u64,
    };
    info!(sessions = response.sessions, "asked to drain");
    sessions.drain.cancel();
    std::future::ready(Ok(response.encode_to_vec().into()))
}

/// Asks the login to end, and returns what tells of it, unless it has.
fn begin_replacing(
    sessions: &Sessions,
    source: NodeId,
    body: &Bytes,
) -> Result<Option<oneshot::Receiver<()>>, CallError> {
    if !sessions.owner.is(source) {
        let message = "only the owner of a session replaces it";
        return Err(CallError::new(ErrorKind::Forbidden, message));
    }
    let Replace { login } = Replace::decode(&**body).map_err(|error| {
        let message = format!("the request cannot be read: {error}");
        CallError::new(ErrorKind::Handler, message)
    })?;
    sessions.tickets.cancel(Login(login));
    let Some(seat) = sessions.table.replace(Login(login)) else {
        return Ok(None);
    };
    let ended_rx = {
        let mut hold = seat.lock();
        if hold.life.is_none() {
            return Ok(None);
        }
        let (ended_tx, ended_rx) = oneshot::channel();
        let watchers = &mut hold.rare().watchers;
        // Those that have stopped waiting.
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(ended_tx);
        ended_rx
    };
    seat.handle.close(CloseReason::Replaced);
    Ok(Some(ended_rx))
}
