//! The end that connects.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{DnsName, ServerName};
use tokio::{io::AsyncBufReadExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::Uri;
use tower_service::Service;

use super::{
    PeerNames, Tls, TlsError, certificate_name,
    reason::{Fault, Reason},
};
use crate::{GroupName, NodeName};

/// Connects a tonic `Endpoint` to the address in its URI, whatever the URI's
/// scheme, and is content only with the node that it expects there.
///
/// A connection is handed out when the server has said its first word, for only
/// then has it accepted this end's certificate: TLS 1.3 lets a client finish
/// its handshake before. HTTP/2 servers speak at once.
#[derive(Clone, Debug)]
pub struct Connector {
    tls: Tls,
    server: NodeName,
    name: String,
}

/// How long TCP and TLS may take together: less than those who connect wait, so
/// that they read the reason and not only that time is up.
const LIMIT: Duration = Duration::from_secs(4);

impl Connector {
    pub(super) fn new(tls: Tls, group: &GroupName, server: &NodeName) -> Result<Self, TlsError> {
        Ok(Connector {
            name: certificate_name(group, server)?,
            server: server.clone(),
            tls,
        })
    }

    async fn connect(self, uri: Uri) -> Result<TlsStream<TcpStream>, TlsError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(80);
        let unreachable = |source| TlsError::Unreachable {
            server: self.server.clone(),
            address: format!("{host}:{port}"),
            source,
        };
        let reached = async {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            let address = stream.peer_addr()?;
            Ok((stream, address))
        };
        let started = tokio::time::Instant::now();
        let (stream, address) = timeout(LIMIT, reached)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(unreachable)?;
        timeout(LIMIT.saturating_sub(started.elapsed()), self.secure(stream))
            .await
            .unwrap_or_else(|_| Err(Reason::timeout(LIMIT)))
            .map_err(|reason| self.error(address, reason))
    }

    async fn secure(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Reason> {
        let name = DnsName::try_from(self.name.clone())
            .map_err(|error| Reason::new("other", error.to_string(), Fault::Neither))?;
        let material = self.tls.material();
        let mut stream = TlsConnector::from(material.client.clone())
            .connect(ServerName::DnsName(name), stream)
            .await
            .map_err(|error| self.reason(&error))?;
        // rustls compares as DNS does: it ignores case and knows wildcards.
        let names = match stream.get_ref().1.peer_certificates() {
            Some([certificate, ..]) => PeerNames::of(certificate),
            _ => PeerNames([].into()),
        };
        if !names.contains(&self.name) {
            return Err(self.foreign(&names.to_string()));
        }
        let first = stream
            .fill_buf()
            .await
            .map_err(|error| self.reason(&error))?;
        if first.is_empty() {
            let words = "it closed the connection before its first word";
            return Err(Reason::new("closed", words, Fault::Neither));
        }
        Ok(stream)
    }

    fn reason(&self, error: &io::Error) -> Reason {
        let rustls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match rustls {
            Some(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForNameContext { presented, .. },
            )) => {
                // As rustls has them: `DnsName("0.scene.GroupA")`.
                let names: Vec<&str> = presented
                    .iter()
                    .map(|name| {
                        name.trim_start_matches("DnsName(\"")
                            .trim_end_matches("\")")
                    })
                    .collect();
                self.foreign(&names.join(", "))
            }
            _ => Reason::of(error),
        }
    }

    fn foreign(&self, names: &str) -> Reason {
        let words = format!("it is for {names}, not for {}", self.name);
        Reason::new("foreign", words, Fault::Theirs)
    }

    fn error(
        &self,
        address: SocketAddr,
        Reason {
            words,
            label,
            fault,
        }: Reason,
    ) -> TlsError {
        let server = self.server.clone();
        match fault {
            Fault::Theirs => TlsError::Theirs {
                server,
                address,
                reason: match label {
                    "unknown_authority" => format!(
                        "it is not signed by the authority in `{}`",
                        self.tls.files().authority.display()
                    ),
                    _ => words,
                },
            },
            Fault::Ours => TlsError::Ours {
                server,
                address,
                certificate: self.tls.files().certificate,
                reason: words,
            },
            Fault::Neither => TlsError::Handshake {
                server,
                address,
                reason: words,
            },
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = TlsError;
    type Future = BoxFuture<'static, Result<Self::Response, TlsError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TlsError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}
