//! How the clients of a load come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use client::{Address, Client, Session};

use ::tests::Certificate;

use super::Server;

/// By which way clients come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Tcp,
    /// Each shakes hands as if for the first time.
    Tls,
    /// Each shakes hands as one that was there before.
    TlsAgain,
    WebSocket,
    Wss,
    LoginGate,
    /// Over TCP, and messages are compressed.
    Compressed,
}

/// Whoever comes to a server by one way.
pub(super) struct Clients<'a> {
    way: Way,
    address: Address,
    certificate: &'a Certificate,
}

/// How long a server may take until it lets somebody in.
const START: Duration = Duration::from_secs(30);

impl Way {
    pub(super) fn is_encrypted(self) -> bool {
        matches!(self, Way::Tls | Way::TlsAgain | Way::Wss)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Way::Tcp => "TCP",
            Way::Tls => "TLS",
            Way::TlsAgain => "TLS, resumed",
            Way::WebSocket => "WebSocket",
            Way::Wss => "WebSocket, TLS",
            Way::LoginGate => "a login gate",
            Way::Compressed => "TCP, compressed",
        }
    }
}

impl<'a> Clients<'a> {
    pub(super) fn new(server: &Server, way: Way, certificate: &'a Certificate) -> Result<Self> {
        let url = match way {
            Way::Tcp | Way::Compressed => format!("tcp://{}", server.tcp()),
            Way::Tls | Way::TlsAgain => format!("tls://{}", server.tcp()),
            Way::WebSocket => format!("ws://{}", server.websocket()?),
            Way::Wss => format!("wss://{}", server.websocket()?),
            Way::LoginGate => format!("tcp://{}", server.login()?),
        };
        let address = url.parse::<Address>()?;
        let address = match way.is_encrypted() {
            true => address.trusting(certificate.trust()),
            false => address,
        };
        Ok(Clients {
            way,
            address,
            certificate,
        })
    }

    /// Waits until somebody is let in.
    pub(super) async fn are_let_in(&self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.client("probe").await {
            if begun.elapsed() > START {
                bail!("no client is let in within {START:?}: {error}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A client that has been let in.
    pub(super) async fn client(&self, name: &str) -> Result<Client> {
        let (client, _) = Client::enter(&self.address()?, name).await?;
        Ok(client)
    }

    /// A session, that may come back.
    pub(super) async fn session(&self, name: &str) -> Result<Session> {
        Ok(match self.way {
            Way::Compressed => Session::login_compressed(self.address()?, name).await?,
            _ => Session::login_at(self.address()?, name).await?,
        })
    }

    /// Who comes for the first time remembers nothing of TLS.
    fn address(&self) -> Result<Address> {
        let address = self.address.clone();
        Ok(match self.way {
            Way::Tls => address.trusting(self.certificate.trust()),
            _ => address,
        })
    }
}
