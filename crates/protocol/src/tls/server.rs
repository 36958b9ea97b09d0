//! The end that is connected to.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::stream::{self, Stream};
use metrics::counter;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;
use tracing::{info, warn};

use super::{
    PeerNames, Tls, plaintext,
    reason::{Fault, Reason},
};

/// A connection whose other end has shown a certificate of the group. Handlers
/// find its [`PeerNames`] in the extensions of each request.
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    names: PeerNames,
}

/// How many handshakes are under way at once; one more ends the oldest, so that
/// strangers who say nothing keep nobody out.
const HANDSHAKES: usize = 256;

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How long, and for how many bytes, a peer that was refused is listened to: a
/// socket that is closed with something unread takes the reason with it.
const LINGER: (Duration, u64) = (Duration::from_secs(1), 64 << 10);

/// How long nothing is accepted after the system could not.
const PAUSE: Duration = Duration::from_millis(50);

const FAILED: &str = "redrabbit_tls_handshakes_failed_total";

struct Incoming {
    tls: Tls,
    listener: TcpListener,
    handshakes: JoinSet<Option<TlsConnection>>,
    /// What ends each of those that are under way, the oldest first, and now and
    /// then of some that are done.
    ends: VecDeque<oneshot::Sender<()>>,
}

pub(super) fn incoming(
    tls: Tls,
    listener: TcpListener,
) -> impl Stream<Item = io::Result<TlsConnection>> + Send + 'static {
    let incoming = Incoming {
        tls,
        listener,
        handshakes: JoinSet::new(),
        ends: VecDeque::new(),
    };
    stream::unfold(incoming, async |mut incoming| {
        Some((Ok(incoming.next().await), incoming))
    })
}

impl Incoming {
    /// The next connection with a finished handshake.
    async fn next(&mut self) -> TlsConnection {
        loop {
            tokio::select! {
                // Those that are done leave before others come.
                biased;
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.ends.len() >= HANDSHAKES {
            self.ends.retain(|end| !end.is_closed());
        }
        if self.ends.len() >= HANDSHAKES
            && let Some(oldest) = self.ends.pop_front()
        {
            // Unless it is done this very moment.
            let _ = oldest.send(());
        }
        let (end_tx, end_rx) = oneshot::channel();
        self.ends.push_back(end_tx);
        self.handshakes
            .spawn(handshake(self.tls.clone(), stream, peer, end_rx));
    }
}

async fn handshake(
    tls: Tls,
    stream: TcpStream,
    peer: SocketAddr,
    mut end_rx: oneshot::Receiver<()>,
) -> Option<TlsConnection> {
    let (reason, stream) = tokio::select! {
        attempt = timeout(LIMIT, attempt(&tls, stream)) => match attempt {
            Ok(Ok(connection)) => return Some(connection),
            Ok(Err((reason, stream))) => (reason, Some(stream)),
            Err(_) => (Reason::timeout(LIMIT), None),
        },
        _ = &mut end_rx => (Reason::crowded_out(HANDSHAKES), None),
    };
    counter!(FAILED, "reason" => reason.label).increment(1);
    let whose = match reason.fault {
        Fault::Theirs => "the peer's certificate is refused",
        Fault::Ours => "the peer refuses this end's certificate",
        Fault::Neither => "no handshake",
    };
    info!(remote = %peer, reason = reason.label, cause = %reason.words, whose, "tls handshake failed");
    if let Some(stream) = stream {
        tokio::select! {
            () = linger(stream) => {}
            _ = end_rx => {}
        }
    }
    None
}

async fn attempt(tls: &Tls, mut stream: TcpStream) -> Result<TlsConnection, (Reason, TcpStream)> {
    let plain = async {
        stream.set_nodelay(true)?;
        let plain = plaintext::is_http2(&stream).await?;
        if plain {
            plaintext::answer(&mut stream).await?;
        }
        Ok::<_, io::Error>(plain)
    };
    match plain.await {
        Ok(false) => {}
        Ok(true) => {
            let words = "it speaks HTTP/2 without TLS";
            return Err((Reason::new("plaintext", words, Fault::Neither), stream));
        }
        Err(error) => return Err((Reason::of(&error), stream)),
    }
    let acceptor = TlsAcceptor::from(tls.material().server.clone());
    let stream = acceptor
        .accept(stream)
        .into_fallible()
        .await
        .map_err(|(error, stream)| (Reason::of(&error), stream))?;
    let names = match stream.get_ref().1.peer_certificates() {
        Some([certificate, ..]) => PeerNames::of(certificate),
        _ => PeerNames([].into()),
    };
    Ok(TlsConnection { stream, names })
}

/// Lets the reason arrive.
async fn linger(mut stream: TcpStream) {
    let last = async {
        stream.shutdown().await?;
        let mut rest = stream.take(LINGER.1);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    let _out_of_time_or_gone = timeout(LINGER.0, last).await;
}

impl TlsConnection {
    /// The names in the peer's certificate.
    pub fn names(&self) -> &PeerNames {
        &self.names
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TlsStream<TcpStream>> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = PeerNames;

    fn connect_info(&self) -> PeerNames {
        self.names.clone()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
