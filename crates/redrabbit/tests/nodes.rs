//! `redrabbit nodes` against a master that answers, refuses, or is not there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use authority::Authority;
use protocol::tls::{Tls, TlsFiles};
use protocol::v1::{
    JoinRequest, JoinResponse, LeastLoadedRequest, LeastLoadedResponse, ListNodesRequest,
    ListNodesResponse, NodeRecord, NodeState, Role, Script, Snapshot, WatchRequest, WatchResponse,
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

    async fn least_loaded(
        &self,
        _: Request<LeastLoadedRequest>,
    ) -> Result<Response<LeastLoadedResponse>, Status> {
        Err(Status::unimplemented("nobody asks here"))
    }

    type WatchStream = tokio_stream::Empty<Result<WatchResponse, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches here"))
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
                services: vec![200],
            }),
            ..NodeRecord::default()
        };
        let slave = NodeRecord {
            node_id: (7 << 32) | 3,
            name: "slave@0".into(),
            role: Role::Slave.into(),
            state: NodeState::Draining.into(),
            address: "10.0.0.2:10251".into(),
            build: "0.1.0".into(),
            ..NodeRecord::default()
        };
        Ok(Response::new(ListNodesResponse {
            group: "GroupA".into(),
            epoch: 7,
            snapshot: Some(Snapshot {
                revision: 5,
                nodes: vec![slave, scene],
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
    let scene = "scene@0  scene  ready     41    v3 a1b2c3d4e5f6  0.1.0  7.2  -\n";
    let slave = "slave@0  slave  draining  0     -                0.1.0  7.3  10.0.0.2:10251\n";
    assert!(said.contains(&format!("{scene}{slave}")), "{said}");
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
async fn a_master_that_speaks_tls_is_shown_the_certificate_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    authority.certify("master@0", "0.master.GroupA");
    let address = start_tls_master(folder.path()).await;
    let topology = format!(
        "group = \"GroupA\"\n[master]\nlisten = \"{address}\"\n\
         [scenes.\"scene@0\"]\nscript = \"main.py\"\n\
         [security]\nsecret = \"sesame\"\nauthority = \"authority.pem\"\n\
         certificate = \"own/{{name}}.pem\"\nkey = \"own/{{name}}.key\"\n"
    );
    let file = folder.path().join("topology.toml");
    fs::write(&file, topology).unwrap();
    let file = file.to_str().unwrap();

    // The master's is on another machine, and so is the scene's.
    let (code, _, said) = nodes(&["--topology", file]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("own/master@0.pem"), "{said}");
    assert!(said.contains("ask on a machine that runs a node"), "{said}");

    fs::create_dir(folder.path().join("own")).unwrap();
    authority.certify("own/scene@0", "0.scene.GroupA");
    let (code, said, wrong) = nodes(&["--topology", file]).await;
    assert_eq!(code, 0, "{wrong}");
    assert!(said.contains("group GroupA, epoch 7"), "{said}");

    // One that another authority has signed.
    let other = tempfile::tempdir().unwrap();
    fs::create_dir(other.path().join("own")).unwrap();
    Authority::new(other.path()).certify("own/scene@0", "0.scene.GroupA");
    for file in ["own/scene@0.pem", "own/scene@0.key", "authority.pem"] {
        fs::copy(other.path().join(file), folder.path().join(file)).unwrap();
    }
    let (code, _, said) = nodes(&["--topology", file]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("it is not signed by the authority in "),
        "{said}"
    );
    assert!(
        said.contains(&folder.path().display().to_string()),
        "{said}"
    );
}

async fn start_tls_master(folder: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Tls::load(TlsFiles {
        authority: folder.join("authority.pem"),
        certificate: folder.join("master@0.pem"),
        key: folder.join("master@0.key"),
    });
    let serving = Server::builder()
        .add_service(RegistryServer::new(Master))
        .serve_with_incoming(tls.unwrap().incoming(listener));
    tokio::spawn(serving);
    address
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
