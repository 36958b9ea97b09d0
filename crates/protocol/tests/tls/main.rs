//! TLS between real sockets, with certificates that are right and wrong.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod authority;
mod files;
mod refusals;
mod reload;

use std::{
    error::Error,
    net::SocketAddr,
    time::{Duration, Instant},
};

use authority::Authority;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use protocol::{
    GroupName, NodeName,
    tls::{PeerNames, Tls},
    v1::{
        JoinRequest, JoinResponse, LeastLoadedRequest, LeastLoadedResponse, ListNodesRequest,
        ListNodesResponse, WatchRequest, WatchResponse,
        registry_client::RegistryClient,
        registry_server::{Registry, RegistryServer},
    },
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Channel, Endpoint, Server},
};

const MASTER: &str = "master@0";
const SCENE: &str = "scene@0";
const DEADLINE: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);

/// A registry that lists nodes to whoever is who it says it is.
struct Master;

#[tonic::async_trait]
impl Registry for Master {
    type JoinStream = tokio_stream::Empty<Result<JoinResponse, Status>>;

    async fn join(
        &self,
        _: Request<Streaming<JoinRequest>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        Err(Status::unimplemented("nobody joins here"))
    }

    async fn least_loaded(
        &self,
        _: Request<LeastLoadedRequest>,
    ) -> Result<Response<LeastLoadedResponse>, Status> {
        Err(Status::unimplemented("nobody is here"))
    }

    type WatchStream = tokio_stream::Empty<Result<WatchResponse, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches here"))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let names = request.extensions().get::<PeerNames>().unwrap();
        let claimed = name(&request.get_ref().secret);
        if !names.include(&group(), &claimed) {
            return Err(Status::permission_denied(format!(
                "the certificate is for {names}, not for {claimed}"
            )));
        }
        Ok(Response::new(ListNodesResponse {
            group: names.to_string(),
            ..ListNodesResponse::default()
        }))
    }
}

fn group() -> GroupName {
    "GroupA".parse().unwrap()
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

async fn serve(tls: &Tls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Server::builder()
        .add_service(RegistryServer::new(Master))
        .serve_with_incoming(tls.incoming(listener));
    tokio::spawn(serving);
    address
}

async fn connect(tls: &Tls, address: SocketAddr) -> Result<Channel, String> {
    let connector = tls.connector(&group(), &name(MASTER)).unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let connecting = endpoint.connect_with_connector(connector);
    let connected = timeout(DEADLINE, connecting).await.unwrap();
    connected.map_err(|error| error.source().unwrap().to_string())
}

/// The error of a connection that must not come about.
async fn refused(tls: &Tls, address: SocketAddr) -> String {
    let error = connect(tls, address).await.unwrap_err();
    eprintln!("{error}");
    error
}

/// Connects until it works.
async fn connected(tls: &Tls, address: SocketAddr) -> Channel {
    let started = Instant::now();
    loop {
        match connect(tls, address).await {
            Ok(channel) => return channel,
            Err(error) => assert!(started.elapsed() < DEADLINE, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Connects until it no longer works.
async fn disconnected(tls: &Tls, address: SocketAddr) -> String {
    let started = Instant::now();
    while connect(tls, address).await.is_ok() {
        assert!(started.elapsed() < DEADLINE, "still taken");
        sleep(Duration::from_millis(50)).await;
    }
    refused(tls, address).await
}

/// Whom the server takes the caller for.
async fn list(channel: Channel, claimed: &str) -> Result<String, Status> {
    let request = ListNodesRequest {
        secret: claimed.to_owned(),
    };
    let mut registry = RegistryClient::new(channel);
    let response = timeout(DEADLINE, registry.list_nodes(request)).await;
    Ok(response.unwrap()?.into_inner().group)
}

/// Counts for the thread of one test, on which its runtime runs.
fn counting() -> PrometheusRecorder {
    let _already = tracing_subscriber::fmt().with_test_writer().try_init();
    PrometheusBuilder::new().build_recorder()
}

/// Waits until so many handshakes have failed for this reason, and for none
/// other.
async fn counted(recorder: &PrometheusRecorder, reason: &str, times: u64) {
    const COUNTER: &str = "redrabbit_tls_handshakes_failed_total";
    let line = format!("{COUNTER}{{reason=\"{reason}\"}} {times}");
    let started = Instant::now();
    loop {
        let page = recorder.handle().render();
        let lines: Vec<&str> = page.lines().filter(|l| l.starts_with(COUNTER)).collect();
        if lines == [&line] {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "no {line:?} in {page}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn nodes_of_one_authority_talk_and_the_server_knows_who_calls() {
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    let channel = connect(&authority.tls(SCENE), address).await.unwrap();
    let taken_for = list(channel.clone(), SCENE).await.unwrap();
    assert_eq!(taken_for, "0.scene.GroupA");

    let status = list(channel, "scene@1").await.unwrap_err();
    assert_eq!(
        status.message(),
        "the certificate is for 0.scene.GroupA, not for scene@1"
    );
}
