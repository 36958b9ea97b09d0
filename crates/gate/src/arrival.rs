//! A client's arrival: its place among the others, its transport, and what
//! remains to be said when it goes.

use std::{net::IpAddr, sync::Arc};

use protocol::{close_reason_name, v1::CloseReason};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, info};

use crate::{
    close::{FAREWELL_TIME, Farewell},
    connection::Connection,
    connections::Place,
    handle::Handle,
    outbound::Batch,
    presence::Presence,
    session::End,
    shared::Shared,
    transport::{Kind, Transport},
};

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) ip: IpAddr,
    pub(crate) kind: Kind,
    pub(crate) since: Instant,
}

/// Serves a client until it is gone.
pub(crate) async fn serve(shared: Arc<Shared>, socket: TcpStream, kind: Kind, ip: IpAddr) {
    let since = Instant::now();
    let mut client = Client { ip, kind, since };
    shared.sessions.metrics.opened(kind);
    // Boxed, like everything that takes a moment, so that the task of a connection
    // that is idle is small.
    match Box::pin(arrive(&shared, socket, &mut client)).await {
        Ok(connection) => connection.run().await,
        Err(reason) => client.record(&shared, reason, None),
    }
    shared.sessions.metrics.gone(kind);
}

/// Finds a client's place, and shakes hands with it.
async fn arrive(
    shared: &Arc<Shared>,
    socket: TcpStream,
    client: &mut Client,
) -> Result<Box<Connection>, CloseReason> {
    let handle = Arc::new(shared.new_handle());
    let mut place = shared.connections.enter(&handle);
    let deadline = client.since + shared.rules.verify_timeout();
    // Who can be told why it ends is told so: hence the transport first. It is one of
    // those who are silent from the beginning, so that neither a load balancer nor a
    // handshake that stalls keeps others out.
    let transport = tokio::select! {
        biased;
        accepted = timeout_at(deadline, shake_hands(shared, socket, client, &mut place)) => {
            accepted.unwrap_or(Err(CloseReason::VerifyTimeout))
        }
        reason = asked_to_end(&handle) => Err(reason),
    }?;
    // What is moved about in a task stands in it several times.
    let connection = Connection::new(shared, handle, transport, *client, place);
    Ok(Box::new(connection))
}

/// Finds out who comes, and how to speak with it.
async fn shake_hands(
    shared: &Shared,
    mut socket: TcpStream,
    client: &mut Client,
    place: &mut Place,
) -> Result<Transport, CloseReason> {
    client.ip = shared.entrance.client(&mut socket, client.ip).await?;
    match place.come_from(client.ip) {
        Ok(()) => accept(shared, socket, client.kind).await,
        Err(reason) => {
            refuse(shared, socket, client.kind, reason).await;
            Err(reason)
        }
    }
}

/// TLS where it is spoken, and what frames are carried in.
async fn accept(shared: &Shared, socket: TcpStream, kind: Kind) -> Result<Transport, CloseReason> {
    let stream = shared.entrance.secure(socket).await?;
    let rules = shared.entrance.rules();
    let may_come_from = move |origin: &str| rules.may_come_from(origin);
    Transport::accept(kind, stream, shared.frame_bytes(), may_come_from).await
}

/// Waits until somebody wants the connection to end.
async fn asked_to_end(handle: &Handle) -> CloseReason {
    let mut batch = Batch::default();
    loop {
        if let Some(reason) = handle.collect(&mut batch).asked {
            return reason;
        }
        handle.woken().await;
    }
}

/// Tells a client for whom there is no place that there is none.
async fn refuse(shared: &Shared, socket: TcpStream, kind: Kind, reason: CloseReason) {
    let Ok(_slot) = shared.refusals.try_acquire() else {
        return;
    };
    if let Ok(Ok(transport)) = timeout(FAREWELL_TIME, accept(shared, socket, kind)).await {
        let farewell = Farewell::of(&End::of(reason));
        transport.close(Batch::default(), farewell).await;
    }
}

impl Client {
    /// It has come back over another connection.
    pub(crate) fn moved(&mut self, to: &Client) {
        self.ip = to.ip;
        self.kind = to.kind;
    }

    /// Logs and counts the end of a connection, once for each.
    pub(crate) fn record(&self, shared: &Shared, reason: CloseReason, session: Option<&Presence>) {
        shared.sessions.metrics.closed(reason, session.is_some());
        let reason = close_reason_name(reason);
        let (ip, transport) = (self.ip.to_canonical(), self.kind.as_str());
        let seconds = self.since.elapsed().as_secs();
        match session {
            Some(session) => info!(
                session_id = session.session_id().as_str(), login = %session.login(),
                %ip, transport, seconds, reason, "session closed"
            ),
            // Anybody can open a connection: these are for those who look.
            None => debug!(%ip, transport, seconds, reason, "connection closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `serve` makes, and how many bytes that is.
    fn future_bytes<F, R>(_: F) -> usize
    where
        F: FnOnce(Arc<Shared>, TcpStream, Kind, IpAddr) -> R,
    {
        size_of::<R>()
    }

    #[test]
    fn task_of_a_connection_is_small() {
        let bytes = future_bytes(serve);
        assert!(bytes < 1024, "{bytes}");
    }
}
