//! What the group asks the gate, and waits for.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, ErrorKind, Login, NodeId,
    v1::{CloseReason, DrainResponse, Replace},
};
use tokio::sync::oneshot;
use tracing::info;

use crate::sessions::Sessions;

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
