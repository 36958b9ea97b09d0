//! `redrabbit reload` against a master and nodes that stand in for scenes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    future::pending,
    process::Output,
    sync::{Arc, Mutex},
    time::Duration,
};

use broker_master::{Master, MasterConfig};
use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{
    Secret,
    method::NODE_RELOAD,
    v1::{NodeState, ReloadRequest, ReloadResponse, Role, Script},
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = MasterConfig {
            group: "GroupA".parse().unwrap(),
            secret: Secret::new(SECRET),
            name: "master@0".parse().unwrap(),
            lease: Duration::from_secs(3),
            outbox_bytes: 1 << 20,
            build: String::new(),
            epoch_file: None,
            tls: None,
            exports: Default::default(),
        };
        let master = Master::start(config, listener).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let topology = format!(
            "group = \"GroupA\"\n[master]\nlisten = \"{}\"\n[security]\nsecret = \"{SECRET}\"\n\
             [scenes.\"scene@0\"]\nscript = \"main.py\"\n",
            master.address()
        );
        fs::write(folder.path().join("topology.toml"), topology).unwrap();
        Group { folder, master }
    }

    async fn node(&self, name: &str, role: Role, services: Services) -> Node {
        let config = NodeConfig {
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

    /// Exit code, stdout, stderr.
    async fn redrabbit(&self, args: &[&str]) -> (i32, String, String) {
        let running = Command::new(env!("CARGO_BIN_EXE_redrabbit"))
            .args(args)
            .arg("--topology")
            .arg(self.folder.path().join("topology.toml"))
            .kill_on_drop(true)
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = timeout(SOON, running).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }
}

/// Loads what it is told to, and notes it.
fn loads(asked: &Arc<Mutex<Vec<String>>>, kept: &[&str]) -> Services {
    let asked = Arc::clone(asked);
    let kept: Vec<String> = kept.iter().map(|kept| (*kept).to_owned()).collect();
    Services::new().serve_message(NODE_RELOAD, move |_, request: ReloadRequest| {
        asked.lock().unwrap().push(request.module);
        let response = ReloadResponse {
            ok: true,
            version: 3,
            hash: "a1b2c3d4e5f6".to_owned(),
            kept: kept.clone(),
            ..ReloadResponse::default()
        };
        async { Ok(response) }
    })
}

fn fails() -> Services {
    Services::new().serve_message(NODE_RELOAD, |_, _: ReloadRequest| async {
        Ok(ReloadResponse {
            version: 2,
            hash: "0123456789ab".to_owned(),
            text: "error: main.py, line 1: SyntaxError: invalid syntax".to_owned(),
            ..ReloadResponse::default()
        })
    })
}

/// As the words of a table stand, however wide its columns are.
fn lines(table: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    table.lines().map(words).collect()
}

#[tokio::test]
async fn one_scene_is_asked_for_what_was_named_and_the_others_are_not() {
    let group = Group::start().await;
    let (asked, others) = (Arc::default(), Arc::default());
    let _scene = group.node("scene@0", Role::Scene, loads(&asked, &[])).await;
    let _other = group
        .node("scene@1", Role::Scene, loads(&others, &[]))
        .await;
    let (code, said, wrong) = group.redrabbit(&["reload", "scene@0"]).await;
    assert_eq!((code, wrong.as_str()), (0, ""));
    assert_eq!(
        lines(&said),
        [
            "SCENE RESULT VERSION HASH NOTE",
            "scene@0 loaded 3 a1b2c3d4e5f6 -"
        ]
    );
    let args = ["reload", "scene@0", "--module", "shop.prices"];
    assert_eq!(group.redrabbit(&args).await.0, 0);
    assert_eq!(*asked.lock().unwrap(), ["", "shop.prices"]);
    assert!(others.lock().unwrap().is_empty());
    group.master.shutdown().await;
}

#[tokio::test]
async fn all_scenes_are_in_one_table_and_one_that_fails_makes_the_command_fail() {
    let group = Group::start().await;
    let asked = Arc::default();
    let _good = group
        .node("scene@0", Role::Scene, loads(&asked, &["Player.lambda"]))
        .await;
    let _gate = group.node("gate@0", Role::Gate, Services::new()).await;
    let (code, said, _) = group.redrabbit(&["reload", "--all"]).await;
    assert_eq!(code, 0, "{said}");

    let _failing = group.node("scene@1", Role::Scene, fails()).await;
    let _old = group.node("scene@2", Role::Scene, Services::new()).await;
    let busy = Services::new().serve_message(NODE_RELOAD, |_, _: ReloadRequest| async {
        pending::<Result<ReloadResponse, _>>().await
    });
    let _busy = group.node("scene@3", Role::Scene, busy).await;
    let leaving = group.node("scene@4", Role::Scene, fails()).await;
    leaving.set_state(NodeState::Draining);
    let looked = async { while !group.redrabbit(&["nodes"]).await.1.contains("draining") {} };
    timeout(SOON, looked).await.unwrap();
    let args = ["reload", "--all", "--patience", "500ms"];
    let (code, said, wrong) = group.redrabbit(&args).await;
    assert_eq!((code, wrong.as_str()), (1, ""));
    let expected = [
        "SCENE RESULT VERSION HASH NOTE",
        "scene@0 loaded 3 a1b2c3d4e5f6 kept as it was: Player.lambda",
        "scene@1 failed 2 0123456789ab main.py, line 1: SyntaxError: invalid syntax",
        "scene@2 no answer - - its program does not know how; send it a SIGHUP, or restart it",
        "scene@3 no answer - - nothing came within 500ms; if it is busy, it loads the script \
         when it is done",
        "scene@4 left out - - it drains",
    ];
    assert_eq!(lines(&said), expected, "{said}");
    assert_eq!(asked.lock().unwrap().len(), 2);
    group.master.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_reloaded_is_told_apart() {
    let group = Group::start().await;
    let (code, _, wrong) = group.redrabbit(&["reload", "--all"]).await;
    assert_eq!(code, 1);
    assert!(
        wrong.contains("there is no scene in group GroupA"),
        "{wrong}"
    );
    let _scene = group.node("scene@0", Role::Scene, fails()).await;
    let _gate = group.node("gate@0", Role::Gate, Services::new()).await;
    for (args, expected, text) in [
        (
            &["reload", "scene@7"][..],
            1,
            "there is no scene@7 in group GroupA; its scenes: scene@0",
        ),
        (&["reload", "gate@0"], 1, "gate@0 is a gate"),
        (&["reload", "gate"], 64, "`gate` is not a node's name"),
        (&["reload"], 64, "--all"),
        (&["reload", "scene@0", "--all"], 64, "cannot be used with"),
    ] {
        let (code, said, wrong) = group.redrabbit(args).await;
        assert!(wrong.contains(text), "{args:?}: {wrong}");
        assert_eq!((code, said.as_str()), (expected, ""), "{args:?}");
    }
    group.master.shutdown().await;
}

#[tokio::test]
async fn nodes_shows_which_script_each_scene_runs() {
    let group = Group::start().await;
    let scene = group.node("scene@0", Role::Scene, Services::new()).await;
    scene.set_script(Script {
        version: 7,
        hash: "a1b2c3d4e5f6".to_owned(),
        ..Script::default()
    });
    let looked = async {
        while !group
            .redrabbit(&["nodes"])
            .await
            .1
            .contains("v7 a1b2c3d4e5f6")
        {}
    };
    timeout(SOON, looked).await.unwrap();
    group.master.shutdown().await;
}
