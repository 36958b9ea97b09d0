//! Sending clients to other gates.
//!
//! The gate that is to hold a session is chosen before its client is verified, so that the
//! owner gives the login to that gate from the beginning: whoever replaces the login, and
//! whatever becomes of the gate, all goes as if the client had connected there.

mod gates;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use prost::Message;
use protocol::{
    CallError, NodeId,
    client::redirect::{Redirect, Ticket},
    v1::{ReserveRequest, ReserveResponse, Stand},
};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, warn};

use crate::{
    session::{Accepted, Denied},
    shared::Shared,
    transport::Kind,
};

pub(crate) use gates::{Choice, Gates};

/// How often the others are asked how they stand.
const PACE: Duration = Duration::from_millis(500);

/// Asks the other gates how they stand, again and again.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let gates = &shared.sessions.gates;
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.leaving.cancelled() => return,
            _ = ticks.tick() => {}
            () = gates.changed() => {}
        }
        let asked = gates.ids().into_iter().map(async |gate| {
            let answer = shared.group.stand(gate).await;
            let stand = answer.ok().and_then(|body| Stand::decode(body).ok());
            gates.heard(gate, stand);
        });
        tokio::select! {
            () = shared.leaving.cancelled() => return,
            _ = join_all(asked) => {}
        }
    }
}

/// Gets a client that the owner has let in a ticket for `gate`, which was chosen unless the
/// script has named it.
pub(crate) async fn redirect(
    shared: &Shared,
    gate: NodeId,
    choice: Option<Choice>,
    owner: NodeId,
    accepted: Accepted,
    kind: Kind,
) -> Denied {
    let choice = choice.filter(|choice| choice.gate() == gate);
    let request = ReserveRequest {
        session_id: accepted.session_id.as_str().to_owned(),
        login: accepted.login.0,
        owner: owner.as_u64(),
    };
    let answer = shared.group.reserve(gate, &request).await;
    let (ticket, stand) = match answer.map_err(|error| error.to_string()).and_then(read) {
        Ok(answer) => answer,
        Err(error) => return no_gate(shared, gate, &error),
    };
    let address = address(&stand, kind).to_owned();
    shared.sessions.gates.heard(gate, Some(stand));
    drop(choice);
    if address.is_empty() {
        let error = format!("it says no address for clients of {}", kind.as_str());
        return no_gate(shared, gate, &error);
    }
    debug!(
        session_id = accepted.session_id.as_str(), login = %accepted.login, peer_id = %gate,
        address, "client sent to another gate"
    );
    Denied::Redirected(Redirect {
        ticket,
        address,
        reply: accepted.reply,
    })
}

/// Where clients that came by this kind of socket find it.
fn address(stand: &Stand, kind: Kind) -> &str {
    match kind {
        Kind::Tcp => &stand.tcp,
        Kind::WebSocket => &stand.websocket,
    }
}

fn read(answer: bytes::Bytes) -> Result<(Ticket, Stand), String> {
    let ReserveResponse { ticket, stand } =
        ReserveResponse::decode(answer).map_err(|error| error.to_string())?;
    let ticket = ticket[..].try_into().map(Ticket);
    ticket
        .ok()
        .zip(stand)
        .ok_or_else(|| "its answer makes no sense".to_owned())
}

/// Its login stays with that gate, which ends it when it is asked to.
fn no_gate(shared: &Shared, gate: NodeId, error: &str) -> Denied {
    shared.sessions.gates.heard(gate, None);
    if let Some(withheld) = shared.verify_log.turn(Instant::now()) {
        warn!(peer_id = %gate, error, withheld, "client could not be sent to another gate");
    }
    Denied::NoGate
}

/// What a gate answers that is not asked by the likes of it.
pub(crate) fn only_gates() -> CallError {
    let message = "only gates ask for this";
    CallError::new(protocol::ErrorKind::Forbidden, message)
}
