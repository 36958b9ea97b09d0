//! How a node reaches the sockets of masters and slaves.

use std::time::Duration;

use protocol::NodeName;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use crate::config::Encryption;

/// Opens connections to brokers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connector {
    pub(crate) encryption: Option<Encryption>,
}

/// How long a socket may take to be connected.
const CONNECT: Duration = Duration::from_secs(1);
/// HTTP/2's own probe of a connection on which nothing moves.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));
/// Fewer, larger frames from the broker, as it takes them itself. With bodies of
/// 1 KiB that saved it between nothing and a quarter of its CPU.
const MAX_FRAME_BYTES: u32 = 256 << 10;

impl Connector {
    /// A connection of its own to `address`, `host:port`, where the node `name`
    /// has to be.
    pub(crate) async fn connect(&self, address: &str, name: &NodeName) -> Result<Channel, Status> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Status::invalid_argument(format!("the address {address}: {error}")))?
            .tcp_nodelay(true)
            .max_frame_size(MAX_FRAME_BYTES)
            .connect_timeout(CONNECT)
            .keep_alive_while_idle(true)
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1);
        let connected = match &self.encryption {
            None => endpoint.connect().await,
            Some(Encryption { tls, group }) => {
                let connector = tls
                    .connector(group, name)
                    .map_err(|error| Status::invalid_argument(error.to_string()))?;
                endpoint.connect_with_connector(connector).await
            }
        };
        connected.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Status::unavailable(cause.unwrap_or_else(|| error.to_string()))
        })
    }
}
