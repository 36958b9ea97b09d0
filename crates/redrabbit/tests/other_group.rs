//! `redrabbit nodes` where bridges join other groups, and `nodes --group`, against a
//! master and a node that stands in for a bridge.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;

use std::{fs, time::Duration};

use authority::Authority;
use broker_master::{Master, MasterConfig};
use ffrpc::{Encryption, Node, NodeConfig, Services, Uplink};
use protocol::{
    CallError, ErrorKind, Secret,
    method::BRIDGE_NODES,
    tls::{Tls, TlsFiles},
    v1::{
        Exports, GroupLink, GroupNodesRequest, ListNodesResponse, NodeRecord, NodeState, Role,
        Snapshot,
    },
};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, time::timeout};

const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "sesame";

/// A group with a secret, and its topology.
struct Group {
    folder: TempDir,
    master: Master,
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
            exports: Exports::default(),
            tls,
        };
        let master = Master::start(config, listener).unwrap();
        let topology = format!(
            "group = \"GroupA\"\n[master]\nlisten = \"{}\"\n\
             [security]\nsecret = \"{SECRET}\"\n{rest}",
            master.address()
        );
        fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Group { folder, master }
    }

    /// A bridge that joins `groups`, and says of each whether it reaches it.
    async fn bridge(
        &self,
        name: &str,
        groups: &[(&str, u64, bool)],
        encryption: Option<Encryption>,
    ) -> Node {
        let config = NodeConfig {
            encryption,
            name: name.parse().unwrap(),
            role: Role::Bridge,
            uplink: Uplink::Remote(self.master.address()),
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let services = Services::new()
            .serve_message(BRIDGE_NODES, |_, asked: GroupNodesRequest| async move {
                answer(&asked.group)
            });
        let node = Node::join(config, services);
        timeout(SOON, node.ready()).await.unwrap();
        let links = groups.iter().map(|(name, identity, reachable)| GroupLink {
            name: (*name).into(),
            identity: *identity,
            reachable: *reachable,
        });
        node.set_groups(links.collect());
        node.set_state(NodeState::Ready);
        node
    }

    /// The exit code, stdout and stderr of `redrabbit nodes ARGS`.
    async fn nodes(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
        command.arg("nodes").args(args);
        command
            .arg("--topology")
            .arg(self.folder.path().join("topology.toml"));
        run(command).await
    }

    /// Waits until `nodes` prints `text`.
    async fn shows(&self, text: &str) -> String {
        let mut last = String::new();
        let looking = async {
            loop {
                let (_, said, _) = self.nodes(&[]).await;
                if said.contains(text) {
                    return said;
                }
                last = said;
            }
        };
        match timeout(SOON, looking).await {
            Ok(said) => said,
            Err(_) => panic!("never shown: {text}\n{last}"),
        }
    }
}

async fn run(mut command: Command) -> (i32, String, String) {
    let output = timeout(SOON, command.output()).await.unwrap().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// GroupB shows its directory, GroupC does not, and GroupD's is too much.
fn answer(group: &str) -> Result<ListNodesResponse, CallError> {
    let scene = NodeRecord {
        node_id: (3 << 32) | 9,
        name: "scene@4".into(),
        role: Role::Scene.into(),
        state: NodeState::Ready.into(),
        build: "0.9.0".into(),
        ..NodeRecord::default()
    };
    match group {
        "GroupB" => Ok(ListNodesResponse {
            group: group.into(),
            epoch: 3,
            snapshot: Some(Snapshot {
                revision: 8,
                nodes: vec![scene],
            }),
        }),
        "GroupC" => Err(CallError::new(ErrorKind::Forbidden, "not shown")),
        _ => Err(CallError::new(
            ErrorKind::TooLarge,
            "an answer of 2000000 bytes",
        )),
    }
}

#[tokio::test]
async fn the_groups_that_bridges_join_are_shown_and_a_name_that_two_claim_is_warned_of() {
    let group = Group::start().await;
    let first = [("GroupB", 0xb, true), ("GroupC", 0, false)];
    let one = group.bridge("bridge@0", &first, None).await;
    let said = group.shows("GroupC       bridge@0  no       -\n").await;
    assert!(said.contains("bridge@0  bridge  ready"), "{said}");
    assert!(
        said.contains("OTHER GROUP  BRIDGE    REACHED  IDENTITY\nGroupB       bridge@0  yes      000000000000000b\n"),
        "{said}"
    );
    assert!(!said.contains("warning"), "{said}");

    let _other = group
        .bridge("bridge@1", &[("GroupB", 0xbb, true)], None)
        .await;
    let warning =
        "warning: two groups claim the name GroupB: bridge@0 reaches one and bridge@1 another";
    group.shows(warning).await;
    let (code, said, wrong) = group.nodes(&["--group", "GroupB"]).await;
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(
        wrong.contains("group GroupB cannot be asked: ") && wrong.contains("two groups claim"),
        "{wrong}"
    );
    let (code, said, _) = group.nodes(&["--json"]).await;
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["other_groups"][0]["name"], "GroupB");
    assert_eq!(json["other_groups"][0]["claimed_twice"], true);
    assert_eq!(json["other_groups"][1]["claimed_twice"], false);

    // A group that is reached no more is shown as such at once.
    one.set_groups(vec![GroupLink {
        name: "GroupB".into(),
        identity: 0xb,
        reachable: false,
    }]);
    group
        .shows("GroupB       bridge@0  no       000000000000000b\n")
        .await;
}

#[tokio::test]
async fn a_bridge_is_asked_for_the_directory_of_another_group() {
    let group = Group::start().await;
    let (code, _, wrong) = group.nodes(&["--group", "GroupB"]).await;
    assert_eq!(code, 1);
    assert!(
        wrong.contains("no bridge of group GroupA joins GroupB: start one")
            && wrong.contains("join: nothing"),
        "{wrong}"
    );

    let joins = [
        ("GroupB", 0xb, true),
        ("GroupC", 0xc, true),
        ("GroupD", 0xd, true),
        ("GroupE", 0xe, false),
    ];
    let _bridge = group.bridge("bridge@0", &joins, None).await;
    group.shows("GroupE       bridge@0  no").await;
    let (code, said, wrong) = group.nodes(&["--group", "GroupB"]).await;
    assert_eq!(code, 0, "{wrong}");
    assert_eq!(
        said,
        "group GroupB, epoch 3, revision 8, as bridge@0 knows it\n\
         \n\
         NAME     ROLE   STATE  LOAD  SCRIPT  BUILD  ID   ADDRESS\n\
         scene@4  scene  ready  0     -       0.9.0  3.9  -\n"
    );
    let (code, said, _) = group.nodes(&["--group", "GroupB", "--json"]).await;
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["bridge"], "bridge@0");
    assert_eq!(json["nodes"][0]["name"], "scene@4");
    // The own group is asked of its master, with the same words.
    let (code, said, _) = group.nodes(&["--group", "GroupA"]).await;
    assert_eq!(code, 0);
    assert!(said.contains("master@0  master"), "{said}");

    for (name, words) in [
        (
            "GroupC",
            ["write `directory = true`", "whose groups have \"GroupA\""],
        ),
        (
            "GroupD",
            [
                "bridge@0 has not given the directory of GroupD",
                "too_large",
            ],
        ),
        ("GroupE", ["group GroupE cannot be asked: ", "bridge@0"]),
        (
            "GroupX",
            [
                "no bridge of group GroupA joins GroupX",
                "GroupB, GroupC, GroupD, GroupE",
            ],
        ),
    ] {
        let (code, said, wrong) = group.nodes(&["--group", name]).await;
        assert_eq!((code, said.as_str()), (1, ""), "{wrong}");
        for words in words {
            assert!(wrong.contains(words), "{words}: {wrong}");
        }
    }
}

#[tokio::test]
async fn a_group_that_speaks_tls_wants_the_certificate_of_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    let authority = Authority::new(folder.path());
    let files = ["master@0", "bridge@0"];
    authority.certify("master@0", "0.master.GroupA");
    authority.certify("bridge@0", "0.bridge.GroupA");
    let [of_the_master, of_the_bridge] = files.map(|name| {
        Tls::load(TlsFiles {
            authority: path("authority.pem"),
            certificate: path(&format!("{name}.pem")),
            key: path(&format!("{name}.key")),
        })
        .unwrap()
    });
    authority.certify("made-before", "0.operator.GroupA");
    let place = folder.path().to_path_buf();
    let rest = "authority = \"authority.pem\"\n\
                certificate = \"{name}.pem\"\nkey = \"{name}.key\"\n";
    let group = Group::start_in(folder, rest, Some(of_the_master)).await;
    let encryption = Encryption {
        tls: of_the_bridge,
        group: "GroupA".parse().unwrap(),
    };
    let joins = [("GroupB", 0xb, true)];
    let _bridge = group.bridge("bridge@0", &joins, Some(encryption)).await;
    group.shows("GroupB       bridge@0  yes").await;

    let (code, _, wrong) = group.nodes(&["--group", "GroupB"]).await;
    assert_eq!(code, 1);
    assert!(
        wrong.contains("the group speaks TLS, and operator@0 has no certificate: ")
            && wrong.contains("operator@0.pem")
            && wrong.contains("can be asked of its own master"),
        "{wrong}"
    );
    for end in ["pem", "key"] {
        let made = place.join(format!("made-before.{end}"));
        fs::rename(made, place.join(format!("operator@0.{end}"))).unwrap();
    }
    let (code, said, wrong) = group.nodes(&["--group", "GroupB"]).await;
    assert_eq!(code, 0, "{wrong}");
    assert!(said.starts_with("group GroupB, epoch 3"), "{said}");
    group.master.shutdown().await;
}

#[tokio::test]
async fn a_wrong_command_line_ends_it_with_64() {
    for arguments in [
        &["nodes", "--group", "not a name"][..],
        &["nodes", "--group", "GroupB", "--master", "127.0.0.1:1"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit"));
        command.args(arguments);
        assert_eq!(run(command).await.0, 64, "{arguments:?}");
    }
}
