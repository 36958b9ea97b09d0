//! The socket of a broker.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use protocol::tls::Tls;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tracing::error;

/// Fewer, larger frames, which cost less where bodies are large; nodes ask for
/// the same on their side.
const MAX_FRAME_BYTES: u32 = 256 << 10;

/// A peer that answers no probe for this long is gone, though TCP has not
/// noticed.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));

/// Serves `routes` on `listener` until `stop`, and to nobody without a
/// certificate of the group if there is `tls`.
pub fn serve(
    listener: TcpListener,
    routes: Routes,
    tls: Option<&Tls>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let router = Server::builder()
        .max_frame_size(MAX_FRAME_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE.0))
        .http2_keepalive_timeout(Some(KEEP_ALIVE.1))
        .add_routes(routes);
    let stopped = stop.cancelled_owned();
    let serving: BoxFuture<'static, _> = match tls {
        Some(tls) => router
            .serve_with_incoming_shutdown(tls.incoming(listener), stopped)
            .boxed(),
        None => {
            // The server builder's own TCP options do not reach sockets that
            // it did not accept.
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router
                .serve_with_incoming_shutdown(incoming, stopped)
                .boxed()
        }
    };
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            error!(%error, "server failed");
        }
    })
}
