//! The question to a master, and what its answers mean.

use std::{error::Error, net::SocketAddr, time::Duration};

use protocol::{
    tls::TlsError,
    v1::{
        ListNodesRequest, ListNodesResponse, WatchRequest, WatchResponse,
        registry_client::RegistryClient,
    },
};
use tokio::time::timeout;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::{Master, NodesError};
use crate::time::{self, Micros};

/// How long the master may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest directory: a hundred thousand nodes and more.
const MAX_DIRECTORY_BYTES: usize = 64 << 20;

/// Asks a master for its directory.
pub(crate) async fn list(master: &Master) -> Result<ListNodesResponse, NodesError> {
    list_dated(master).await.map(|(directory, _)| directory)
}

/// The same, with what the master's clock has shown, to the second, if it tells.
pub(crate) async fn list_dated(
    master: &Master,
) -> Result<(ListNodesResponse, Option<Micros>), NodesError> {
    let address = master.address;
    let asking = async {
        let channel = connect(master).await?;
        let request = ListNodesRequest {
            secret: master.secret.expose().to_owned(),
        };
        let response = RegistryClient::new(channel)
            .max_decoding_message_size(MAX_DIRECTORY_BYTES)
            .list_nodes(request)
            .await;
        response.map_err(|status| explain(address, &status))
    };
    match timeout(PATIENCE, asking).await {
        Ok(answer) => {
            let answer = answer?;
            // Every server of HTTP dates what it says.
            let date = answer.metadata().get("date");
            let date = date.and_then(|date| time::parse_http(date.to_str().ok()?));
            Ok((answer.into_inner(), date))
        }
        Err(_) => Err(unreachable(
            address,
            format!("silence for {} s", PATIENCE.as_secs()),
        )),
    }
}

/// Asks a master for the group as it lives, each second.
pub(crate) async fn watch(master: &Master) -> Result<Streaming<WatchResponse>, NodesError> {
    let address = master.address;
    let asking = async {
        let channel = connect(master).await?;
        let request = WatchRequest {
            secret: master.secret.expose().to_owned(),
        };
        let response = RegistryClient::new(channel)
            .max_decoding_message_size(MAX_DIRECTORY_BYTES)
            .watch(request)
            .await;
        let states = response.map_err(|status| explain(address, &status))?;
        Ok(states.into_inner())
    };
    let silence = || unreachable(address, format!("silence for {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(silence()))
}

/// Connects to a master.
async fn connect(master: &Master) -> Result<Channel, NodesError> {
    let address = master.address;
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let channel = match (endpoint, master.tls.clone()) {
        (Ok(endpoint), None) => endpoint.connect().await,
        (Ok(endpoint), Some(tls)) => endpoint.connect_with_connector(tls).await,
        (Err(error), _) => Err(error),
    };
    channel.map_err(|error| unreachable(address, root_cause(&error)))
}

/// What a failed call means to whoever made it.
fn explain(address: SocketAddr, status: &Status) -> NodesError {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => NodesError::SecretRefused { address },
        // With a source it comes from our own end: what is there speaks
        // something else.
        _ if status.source().is_some() => unreachable(
            address,
            format!("what listens there is no master ({})", root_cause(status)),
        ),
        Code::Unimplemented => unreachable(address, "what listens there is no master".to_owned()),
        _ => NodesError::Refused {
            address,
            message: status.message().to_owned(),
        },
    }
}

fn unreachable(address: SocketAddr, reason: String) -> NodesError {
    NodesError::Unreachable { address, reason }
}

/// The innermost error says what the system said ("connection refused"); those
/// around it say that something failed. What is wrong with a certificate is told
/// in words of our own, with paths in them.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    loop {
        match (inner.downcast_ref(), inner.source()) {
            (Some(TlsError::Unreachable { source, .. }), _) => inner = source,
            (Some(error), _) => return error.to_string(),
            (None, Some(source)) => inner = source,
            (None, None) => return inner.to_string().to_lowercase(),
        }
    }
}
