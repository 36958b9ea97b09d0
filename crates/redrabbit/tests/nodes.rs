//! `redrabbit nodes` against a master that answers, refuses, or is not there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, net::SocketAddr, time::Duration};

use protocol::v1::{
    JoinRequest, JoinResponse, ListNodesRequest, ListNodesResponse, NodeRecord, NodeState, Role,
    Script, Snapshot,
    registry_server::{Registry, RegistryServer},
};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// A master whose group has a secret.
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

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        if request.get_ref().secret != "sesame" {
            return Err(Status::unauthenticated("wrong secret"));
        }
        let scene = NodeRecord {
            node_id: (7 << 32) | 2,
            name: "scene@0".into(),
            role: Role::Scene.into(),
            state: NodeState::Ready.into(),
            load: 41,
            build: "0.1.0".into(),
            script: Some(Script {
                version: 3,
                hash: "a1b2c3d4e5f6".into(),
            }),
            ..NodeRecord::default()
        };
        Ok(Response::new(ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot {
                revision: 5,
                nodes: vec![scene],
            }),
        }))
    }
}

async fn start_master() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Server::builder()
        .add_service(RegistryServer::new(Master))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    address
}

/// The exit code, stdout and stderr of `redrabbit nodes ARGS`.
async fn nodes(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
    let running = command.arg("nodes").args(args).output();
    let output = timeout(Duration::from_secs(30), running)
        .await
        .unwrap()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn the_directory_is_printed_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "sesame\n").unwrap();
    let address = start_master().await.to_string();
    let secret = secret.to_str().unwrap();
    let (code, said, _) = nodes(&["--master", &address, "--secret-file", secret]).await;
    assert_eq!(code, 0);
    assert!(said.contains("group GroupA, epoch 7, revision 5"), "{said}");
    let row = "scene@0  scene  ready  41    v3 a1b2c3d4e5f6  0.1.0  7.2";
    assert!(said.contains(row), "{said}");
}

#[tokio::test]
async fn the_topology_says_where_the_master_is_and_what_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topology.toml");
    let address = start_master().await;
    let topology = format!(
        "group = \"GroupA\"\n[master]\nlisten = \"{address}\"\n\
         [scenes.\"scene@0\"]\nscript = \"main.py\"\n\
         [security]\nsecret = \"sesame\"\n"
    );
    fs::write(&file, topology).unwrap();
    let (code, said, wrong) = nodes(&["--topology", file.to_str().unwrap(), "--json"]).await;
    assert_eq!(code, 0, "{wrong}");
    let directory: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(directory["nodes"][0]["script"]["hash"], "a1b2c3d4e5f6");
}

#[tokio::test]
async fn a_refused_secret_is_said_to_be_one() {
    let address = start_master().await.to_string();
    let (code, _, said) = nodes(&["--master", &address]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("the master at {address} refuses the secret")),
        "{said}"
    );
    assert!(said.contains("--secret-file"), "{said}");
}

#[tokio::test]
async fn a_master_that_is_not_there_is_asked_after() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (code, _, said) = nodes(&["--master", &address]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("no master answers at {address}")),
        "{said}"
    );
    assert!(
        said.contains("connection refused") && said.contains("is it running?"),
        "{said}"
    );
}

#[tokio::test]
async fn something_else_that_listens_there_is_no_master() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let (code, _, said) = nodes(&["--master", &address]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("no master answers at {address}")),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_topology_ends_it_with_78() {
    let (code, _, said) = nodes(&["--topology", "nowhere.toml"]).await;
    assert_eq!(code, 78);
    assert!(said.contains("nowhere.toml"), "{said}");
}
