//! What comes before the protocol: who the client behind a load balancer is, TLS, and the
//! pages that browsers may come from.

mod proxy;
mod stream;

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use daemon::LogPace;
use protocol::{tls::PublicTls, v1::CloseReason};
use tokio::{io::AsyncRead, net::TcpStream, time::Instant};
use topology::IpNet;
use tracing::{debug, warn};

pub(crate) use stream::Stream;

/// Who the client is by the header of a load balancer, for the fuzzer: nothing where it
/// speaks for itself.
#[doc(hidden)]
pub async fn read_proxy_header(
    socket: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, String> {
    let read = proxy::read(socket).await;
    read.map_err(|error| error.to_string())
}

/// The way in, the same for all connections of a gate.
pub(crate) struct Entrance {
    tls: Option<PublicTls>,
    rules: RwLock<Arc<Rules>>,
    proxy_log: LogPace,
}

/// Who is believed, and who may come. Can be others while the gate runs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rules {
    origins: Vec<String>,
    proxies: Vec<IpNet>,
}

impl Entrance {
    pub(crate) fn new(tls: Option<PublicTls>, rules: Rules) -> Self {
        Entrance {
            tls,
            rules: RwLock::new(Arc::new(rules)),
            proxy_log: LogPace::default(),
        }
    }

    /// These rules, for those who come from now on.
    pub(crate) fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether clients have to.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Who is at the other end of a connection from `peer`: itself, or whom it brings.
    pub(crate) async fn client(
        &self,
        socket: &mut TcpStream,
        peer: IpAddr,
    ) -> Result<IpAddr, CloseReason> {
        if !self.rules().is_proxy(peer) {
            return Ok(peer);
        }
        match proxy::read(socket).await {
            // It asks for itself, whether anybody is here.
            Ok(client) => Ok(client.unwrap_or(peer)),
            Err(error) => {
                if let Some(withheld) = self.proxy_log.turn(Instant::now()) {
                    warn!(
                        proxy = %peer, %error, withheld,
                        "a load balancer did not say who the client is: have it send PROXY \
                         protocol version 2, or take it out of `proxies`"
                    );
                }
                Err(CloseReason::ProxyHeader)
            }
        }
    }

    /// Shakes hands, where TLS is spoken. That has no time limit of its own.
    pub(crate) async fn secure(&self, socket: TcpStream) -> Result<Stream, CloseReason> {
        // Frames are small and gathered by us: nothing is won by waiting.
        socket
            .set_nodelay(true)
            .map_err(|_| CloseReason::SocketError)?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(socket));
        };
        match tls.acceptor().accept(socket).await {
            Ok(socket) => Ok(Stream::Tls(Box::new(socket))),
            Err(error) => {
                debug!(%error, "tls handshake failed");
                Err(CloseReason::TlsFailed)
            }
        }
    }
}

impl Rules {
    pub(crate) fn new(origins: Vec<String>, proxies: Vec<IpNet>) -> Self {
        Rules { origins, proxies }
    }

    /// Whether a browser may come from a page there.
    pub(crate) fn may_come_from(&self, origin: &str) -> bool {
        self.origins.is_empty() || self.origins.iter().any(|known| known == origin)
    }

    /// Whether it is believed who it says that the client is.
    fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxies.iter().any(|proxy| proxy.contains(&peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_are_listed_are_believed_and_let_in() {
        let anybody = Rules::default();
        assert!(anybody.may_come_from("https://evil.example"));
        assert!(!anybody.is_proxy("127.0.0.1".parse().unwrap()));
        let proxies = ["10.0.0.5/32", "2001:db8::/32"].map(|net| net.parse().unwrap());
        let some = Rules::new(vec!["https://game.example".to_owned()], proxies.into());
        assert!(some.may_come_from("https://game.example"));
        for origin in [
            "",
            "null",
            "http://game.example",
            "https://game.example.evil",
        ] {
            assert!(!some.may_come_from(origin), "{origin}");
        }
        for (peer, believed) in [
            ("10.0.0.5", true),
            ("::ffff:10.0.0.5", true),
            ("10.0.0.6", false),
            ("2001:db8::7", true),
            ("::1", false),
        ] {
            assert_eq!(some.is_proxy(peer.parse().unwrap()), believed, "{peer}");
        }
    }
}
