//! The daemon as a process.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use protocol::v1::{
    Hello, JoinRequest, Role, join_request::Request, join_response::Response,
    registry_client::RegistryClient,
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_is_told_the_exports_of_the_topology() {
    let (_folder, mut master) = Master::start(
        "[exports.chat]\ngroups = [\"GroupB\"]\nservices = [\"scene\"]\n\
         cmds = [200, \"210-219\"]\nmethods = [\"stat.*\"]\ndirectory = true\n",
    );
    let address = master.address().await;
    let (requests, requests_rx) = mpsc::channel(1);
    let hello = Hello {
        name: "bridge@0".into(),
        role: Role::Bridge.into(),
        ..Hello::default()
    };
    let request = Some(Request::Hello(hello));
    requests.send(JoinRequest { request }).await.unwrap();
    let mut responses = RegistryClient::connect(format!("http://{address}"))
        .await
        .unwrap()
        .join(ReceiverStream::new(requests_rx))
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        let response = timeout(DEADLINE, responses.message()).await;
        response.unwrap().unwrap().unwrap().response.unwrap()
    };
    match next().await {
        Response::Welcome(welcome) => {
            assert_eq!(welcome.group, "GroupA");
            assert_ne!(welcome.identity, 0);
        }
        other => panic!("no welcome but {other:?}"),
    }
    let Response::Exports(exports) = next().await else {
        panic!("no exports")
    };
    let [export] = exports.exports.as_slice() else {
        panic!("not one export: {exports:?}")
    };
    assert_eq!((export.name.as_str(), export.directory), ("chat", true));
    assert_eq!(
        (&export.groups[..], &export.services[..]),
        (&["GroupB".to_owned()][..], &["scene".to_owned()][..])
    );
    assert_eq!(export.methods, ["stat.*"]);
    let cmds: Vec<_> = export
        .cmds
        .iter()
        .map(|cmds| (cmds.first, cmds.last))
        .collect();
    assert_eq!(cmds, [(200, 200), (210, 219)]);
}

/// A master's process, which ends with it.
struct Master {
    child: Child,
}

impl Master {
    fn start(exports: &str) -> (TempDir, Master) {
        let folder = tempfile::tempdir().unwrap();
        let topology = folder.path().join("topology.toml");
        let text = format!("group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:0\"\n{exports}");
        std::fs::write(&topology, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_broker-master"))
            .arg("--topology")
            .arg(&topology)
            .args(["--name", "master@0"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (folder, Master { child })
    }

    /// Where it listens, as its log says.
    async fn address(&mut self) -> String {
        let stderr = self.child.stderr.take().unwrap();
        let (address_tx, mut address_rx) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains("listening for nodes")
                    && let Some((_, address)) = line.split_once("address=")
                {
                    let address = address.split_whitespace().next().unwrap_or_default();
                    let _ = address_tx.try_send(address.to_owned());
                }
            }
        });
        timeout(DEADLINE, address_rx.recv()).await.unwrap().unwrap()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
