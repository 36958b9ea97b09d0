//! `redrabbit drain` against a master and nodes that stand in for gates and scenes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;

use std::{
    fs,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use authority::Authority;
use broker_master::{Master, MasterConfig};
use ffrpc::{Encryption, Node, NodeConfig, Services, Uplink};
use protocol::{
    CallError, ErrorKind, Secret,
    method::NODE_DRAIN,
    tls::{Tls, TlsFiles},
    v1::{DrainRequest, DrainResponse, NodeState, Role},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    sync::Notify,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "sesame";

/// A group with a secret, and its topology.
struct Group {
    folder: TempDir,
    master: Master,
}

/// `redrabbit drain` that runs.
struct Drain {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Group {
    async fn start() -> Group {
        Group::start_in(tempfile::tempdir().unwrap(), "", None).await
    }

    /// The group's topology ends with `rest`.
    async fn start_in(folder: TempDir, rest: &str, tls: Option<Tls>) -> Group {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = MasterConfig {
            group: "GroupA".parse().unwrap(),
            secret: Secret::new(SECRET),
            name: "master@0".parse().unwrap(),
            lease: Duration::from_secs(3),
            outbox_bytes: 1 << 20,
            build: String::new(),
            epoch_file: None,
            tls,
            exports: Default::default(),
        };
        let master = Master::start(config, listener).unwrap();
        let topology = format!(
            "group = \"GroupA\"\n[master]\nlisten = \"{}\"\n\
             [gates.\"gate@0\"]\ntcp = \"127.0.0.1:10242\"\n\
             [scenes.\"scene@0\"]\nscript = \"main.py\"\n\
             [security]\nsecret = \"{SECRET}\"\n{rest}",
            master.address()
        );
        fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Group { folder, master }
    }

    /// A node that answers as `services` say.
    async fn node(&self, name: &str, role: Role, services: Services) -> Node {
        self.node_with(name, role, services, None).await
    }

    async fn node_with(
        &self,
        name: &str,
        role: Role,
        services: Services,
        encryption: Option<Encryption>,
    ) -> Node {
        let config = NodeConfig {
            encryption,
            name: name.parse().unwrap(),
            role,
            uplink: Uplink::Remote(self.master.address()),
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        timeout(SOON, node.ready()).await.unwrap();
        node.set_state(NodeState::Ready);
        node
    }

    fn drain(&self, args: &[&str]) -> Drain {
        let mut child = Command::new(env!("CARGO_BIN_EXE_redrabbit"))
            .arg("drain")
            .args(args)
            .arg("--topology")
            .arg(self.folder.path().join("topology.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Drain { child, stdout }
    }
}

impl Drain {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(SOON, self.stdout.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        line.trim_end().to_owned()
    }

    /// Its exit code, and what it still has to say.
    async fn ended(mut self) -> (i32, String, String) {
        let (mut said, mut wrong) = (String::new(), String::new());
        let mut stderr = self.child.stderr.take().unwrap();
        let ending = async {
            self.stdout.read_to_string(&mut said).await.unwrap();
            stderr.read_to_string(&mut wrong).await.unwrap();
            self.child.wait().await.unwrap().code().unwrap()
        };
        (timeout(SOON, ending).await.unwrap(), said, wrong)
    }
}

/// Says yes, notes where sessions shall go, and wakes who is to end.
fn obedient(asked: &Arc<Mutex<Vec<String>>>, goes: &Arc<Notify>) -> Services {
    let (asked, goes) = (Arc::clone(asked), Arc::clone(goes));
    Services::new().serve_message(NODE_DRAIN, move |_, request: DrainRequest| {
        asked.lock().unwrap().push(request.to_scene);
        goes.notify_one();
        async { Ok(DrainResponse { sessions: 1000 }) }
    })
}

#[tokio::test]
async fn a_gate_is_asked_once_and_waited_for_until_it_has_left() {
    let group = Group::start().await;
    let (asked, goes) = (Arc::default(), Arc::default());
    let gate = group
        .node("gate@0", Role::Gate, obedient(&asked, &goes))
        .await;
    let mut drain = group.drain(&["gate@0"]);
    goes.notified().await;
    gate.set_state(NodeState::Draining);
    gate.set_load(312);
    assert_eq!(drain.line().await, "gate@0 drains: 1000 sessions");
    while !drain.line().await.ends_with(" s  312 sessions left") {}
    gate.leave().await;
    let (code, said, wrong) = drain.ended().await;
    assert_eq!((code, wrong.as_str()), (0, ""));
    assert!(said.contains("gate@0 has left the group after "), "{said}");
    assert_eq!(*asked.lock().unwrap(), [""]);
    group.master.shutdown().await;
}

#[tokio::test]
async fn the_sessions_of_a_scene_go_where_they_are_told_to() {
    let group = Group::start().await;
    let (asked, goes) = (Arc::default(), Arc::default());
    let _scene = group
        .node("scene@0", Role::Scene, obedient(&asked, &goes))
        .await;
    let _other = group.node("scene@1", Role::Scene, Services::new()).await;
    let drain = group.drain(&["scene@0", "--to", "scene@1", "--no-wait"]);
    let (code, said, wrong) = drain.ended().await;
    assert_eq!((code, wrong.as_str()), (0, ""));
    assert_eq!(
        said,
        "scene@0 drains: 1000 sessions; they go to scene@1\n\
         note: nobody can log in at gate@0 until scene@0 is back\n"
    );
    assert_eq!(*asked.lock().unwrap(), ["scene@1"]);

    let drain = group.drain(&["scene@0", "--no-wait"]);
    let (_, said, _) = drain.ended().await;
    assert!(
        said.contains("they are held until scene@0 is back"),
        "{said}"
    );
    group.master.shutdown().await;
}

#[tokio::test]
async fn what_cannot_drain_is_told_apart() {
    let group = Group::start().await;
    let refusing = Services::new().serve(NODE_DRAIN, |_| async {
        Err(CallError::new(ErrorKind::Handler, "it has a reason"))
    });
    let _gate = group.node("gate@0", Role::Gate, refusing).await;
    let _scene = group.node("scene@0", Role::Scene, Services::new()).await;
    let wrong = [
        (
            &["gate@7"][..],
            1,
            "there is no gate@7 in group GroupA; what can drain there: gate@0, scene@0",
        ),
        (&["gate@0"], 1, "gate@0 does not drain: it has a reason"),
        (
            &["scene@0"],
            1,
            "scene@0 does not drain: its program does not know how",
        ),
        (
            &["scene@0", "--to", "scene@0"],
            64,
            "scene@0 cannot take its own sessions",
        ),
        (
            &["scene@0", "--to", "scene@1"],
            1,
            "there is no scene@1 in group GroupA that takes sessions; its scenes: none",
        ),
        (&["gate"], 64, "`gate` is not a node's name"),
    ];
    for (args, expected, text) in wrong {
        let (code, said, wrong) = group.drain(args).ended().await;
        assert!(wrong.contains(text), "{args:?}: {wrong}");
        assert_eq!((code, said.as_str()), (expected, ""), "{args:?}");
    }
    group.master.shutdown().await;
}

#[tokio::test]
async fn a_node_that_does_not_end_is_said_to_be_there_still() {
    let group = Group::start().await;
    let (asked, goes) = (Arc::default(), Arc::default());
    let _gate = group
        .node("gate@0", Role::Gate, obedient(&asked, &goes))
        .await;
    let drain = group.drain(&["gate@0", "--patience", "1s"]);
    let (code, _, wrong) = drain.ended().await;
    assert_eq!(code, 1);
    assert!(
        wrong.contains("gate@0 is still in the group after 1 s"),
        "{wrong}"
    );
    group.master.shutdown().await;
}

#[tokio::test]
async fn a_group_that_is_not_there_and_a_wrong_secret_are_said_to_be() {
    let group = Group::start().await;
    let secret = group.folder.path().join("secret");
    fs::write(&secret, "wrong\n").unwrap();
    let args = ["gate@0", "--secret-file", secret.to_str().unwrap()];
    let (code, _, wrong) = group.drain(&args).ended().await;
    assert_eq!(code, 1);
    assert!(wrong.contains("refuses the secret"), "{wrong}");
    let address = group.master.address();
    let drain = group.drain(&["gate@0", "--set", "master.listen=127.0.0.1:1"]);
    let (code, _, wrong) = drain.ended().await;
    assert_eq!(code, 1, "{address}");
    assert!(
        wrong.contains("no master answers at 127.0.0.1:1"),
        "{wrong}"
    );
    group.master.shutdown().await;
}

#[tokio::test]
async fn in_a_group_that_speaks_tls_it_shows_the_certificate_of_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    for (file, name) in [
        ("master@0", "0.master.GroupA"),
        ("gate@0", "0.gate.GroupA"),
        ("made-before", "0.operator.GroupA"),
    ] {
        authority.certify(file, name);
    }
    let tls = |name: &str| {
        let files = TlsFiles {
            authority: folder.path().join("authority.pem"),
            certificate: folder.path().join(format!("{name}.pem")),
            key: folder.path().join(format!("{name}.key")),
        };
        Tls::load(files).unwrap()
    };
    let (of_the_master, of_the_gate) = (tls("master@0"), tls("gate@0"));
    let place = folder.path().to_owned();
    let files =
        "authority = \"authority.pem\"\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n";
    let group = Group::start_in(folder, files, Some(of_the_master)).await;
    let encryption = Encryption {
        tls: of_the_gate,
        group: "GroupA".parse().unwrap(),
    };
    let (asked, goes) = (Arc::default(), Arc::default());
    let services = obedient(&asked, &goes);
    let _gate = group
        .node_with("gate@0", Role::Gate, services, Some(encryption))
        .await;

    let (code, _, wrong) = group.drain(&["gate@0", "--no-wait"]).ended().await;
    assert_eq!(code, 1);
    assert!(
        wrong.contains("the group speaks TLS, and operator@0 has no certificate: ")
            && wrong.contains("operator@0.pem"),
        "{wrong}"
    );

    for end in ["pem", "key"] {
        let made = place.join(format!("made-before.{end}"));
        fs::rename(made, place.join(format!("operator@0.{end}"))).unwrap();
    }
    let (code, said, wrong) = group.drain(&["gate@0", "--no-wait"]).ended().await;
    assert_eq!(
        (code, said.as_str()),
        (0, "gate@0 drains: 1000 sessions\n"),
        "{wrong}"
    );
    assert_eq!(*asked.lock().unwrap(), [""]);
    group.master.shutdown().await;
}
