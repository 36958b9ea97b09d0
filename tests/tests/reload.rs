//! The script is changed while players are online.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use serde_json::{Value, json};
use tests::{ARCADE, Cluster, Group, Members, Player, Runs, Signal, eventually};

#[tokio::test]
async fn new_code_is_live_and_nobody_is_disconnected() {
    let group = Group::start(Runs::Up, ARCADE).await;
    let mut alice = group.player("alice").await;
    let mut bob = group.websocket_player("bob").await;
    assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));

    let changed = ARCADE
        .replace(r#"VERSION = "one""#, r#"VERSION = "two""#)
        .replace("[session_id] + msg", r#"[session_id.upper()] + msg"#);
    std::fs::write(group.script(), changed).unwrap();
    let result = alice.asks(6, Value::Null).await;
    assert_eq!(result[0], true, "{result}");
    assert_eq!(alice.asks(7, Value::Null).await, json!(["two", 2]));
    bob.send(2, json!(["still here"])).await;
    for player in [&mut alice, &mut bob] {
        assert_eq!(player.hears(2).await, json!(["BOB", "still here"]));
    }
    // What the singleton holds is what it held.
    assert_eq!(bob.asks(8, Value::Null).await, json!(["alice", "bob"]));
    // The directory knows which script runs.
    eventually("the directory shows version 2", async || {
        let nodes = group.nodes().await?;
        let script = nodes
            .into_iter()
            .find(|node| node.name == "scene@0")?
            .script?;
        (script.version == 2 && script.hash.len() == 12).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_script_that_does_not_load_leaves_the_old_code_in_force() {
    let group = Group::start(Runs::Solo, ARCADE).await;
    let mut alice = group.player("alice").await;
    for (broken, word) in [
        ("def oops(:\n", "line"),
        ("import ffext\n\nraise ValueError('halfway')\n", "halfway"),
        ("import no_such_module\n", "no_such_module"),
        ("import sys\nsys.exit(3)\n", "exit"),
    ] {
        std::fs::write(group.script(), broken).unwrap();
        let result = alice.asks(6, Value::Null).await;
        assert_eq!(result[0], false, "{broken:?} was taken: {result}");
        let text = result[1].as_str().unwrap().to_lowercase();
        assert!(text.contains(word), "{broken:?}: {text}");
        assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));
        assert_eq!(alice.asks(1, json!(["x"])).await, json!(["x"]));
    }
}

#[tokio::test]
async fn a_script_that_does_not_load_at_the_start_is_said_and_a_later_one_taken() {
    let mut group = Group::launch(Runs::Up, "this is no python\n", "");
    eventually("the log says what is wrong", async || {
        group.log().contains("SyntaxError").then_some(())
    })
    .await;
    let refused = eventually("a login is refused in words", async || {
        let mut client = client::Client::connect_tcp(group.tcp()).await.ok()?;
        match client.login("alice").await {
            Err(client::ClientError::Refused { reason }) if reason.contains("script") => {
                Some(reason)
            }
            _ => None,
        }
    })
    .await;
    assert!(!refused.is_empty());

    std::fs::write(group.script(), ARCADE).unwrap();
    group.ask("scene-host", Signal::HUP).await;
    let mut alice = eventually("the script is loaded", async || {
        let client = client::Client::connect_tcp(group.tcp()).await.ok()?;
        Player::login(client, "alice").await.ok()
    })
    .await;
    assert_eq!(alice.asks(7, Value::Null).await, json!(["one", 1]));
}

#[tokio::test]
async fn frames_on_their_way_survive_many_reloads() {
    let group = Group::with(Runs::Up, ARCADE, "[limits]\nframes_per_second = 100000\n").await;
    let mut alice = group.player("alice").await;
    let mut bob = group.player("bob").await;
    const ROUNDS: u64 = 30;
    let playing = tokio::spawn(async move {
        for n in 0..ROUNDS * 100 {
            bob.send(1, json!([n])).await;
            if n % 10 == 9 {
                for answer in n - 9..=n {
                    assert_eq!(bob.hears(1).await, json!([answer]));
                }
            }
        }
    });
    for round in 0..ROUNDS {
        let changed = ARCADE.replace(r#""one""#, &format!("\"{round}\""));
        std::fs::write(group.script(), changed).unwrap();
        assert_eq!(alice.asks(6, Value::Null).await[0], true);
    }
    playing.await.unwrap();
    assert_eq!(
        alice.asks(7, Value::Null).await,
        json!([(ROUNDS - 1).to_string(), ROUNDS + 1])
    );
}

/// What the command says, in words, however wide its columns are.
async fn redrabbit(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let output = cluster.redrabbit(arguments).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code(), said.lines().map(words).collect())
}

#[tokio::test]
async fn an_operator_reloads_one_scene_or_all_and_sees_what_each_runs() {
    let cluster = Cluster::start(Members {
        gates: 0,
        scenes: 2,
        slaves: 0,
        script: "import ffext, rules\nVERSION = 1\n",
        more: "",
    })
    .await;
    let write = |file: &str, source: &str| {
        std::fs::write(cluster.folder().join(file), source).unwrap();
    };
    // It has not loaded: a module is missing.
    let (code, said) = redrabbit(&cluster, &["reload", "--all"]).await;
    assert_eq!(code, Some(1), "{said:?}");
    for (line, scene) in said[1..].iter().zip(["scene@0", "scene@1"]) {
        let expected = format!("{scene} failed - - main.py, line 1: ModuleNotFoundError");
        assert!(line.starts_with(&expected), "{line}");
    }
    write("rules.py", "price = 1\n");
    let (code, said) = redrabbit(&cluster, &["reload", "--all"]).await;
    assert_eq!(code, Some(0), "{said:?}");
    let hash = said[1].split(' ').nth(3).unwrap().to_owned();
    let expected = [
        "SCENE RESULT VERSION HASH NOTE".to_owned(),
        format!("scene@0 loaded 1 {hash} -"),
        format!("scene@1 loaded 1 {hash} -"),
    ];
    assert_eq!(said, expected);

    write("main.py", "import ffext, rules\nVERSION = 2\n");
    write("rules.py", "def broken(:\n");
    let (code, said) = redrabbit(&cluster, &["reload", "scene@0"]).await;
    assert_eq!((code, said.len()), (Some(1), 2));
    let expected = format!("scene@0 failed 1 {hash} rules.py, line 1: SyntaxError: invalid syntax");
    assert_eq!(said[1], expected);
    write("rules.py", "price = 2\n");
    let (code, said) = redrabbit(&cluster, &["reload", "scene@0"]).await;
    assert_eq!(code, Some(0), "{said:?}");
    assert!(said[1].starts_with("scene@0 loaded 2 "), "{said:?}");
    assert!(!said[1].contains(&hash), "{said:?}");
    assert!(said[1].ends_with(" with rules"), "{said:?}");
    let (code, said) = redrabbit(&cluster, &["reload", "scene@1", "--module", "rules"]).await;
    assert_eq!(code, Some(0), "{said:?}");

    // The directory shows what each of them runs: another script, and the same one.
    let shown = async |are_same: bool, of_second: &str| {
        let what = format!("hashes that are the same: {are_same}");
        eventually(&what, async || {
            let (_, said) = redrabbit(&cluster, &["nodes"]).await;
            let hash_of = |scene: &str, version: &str| {
                let line = said.iter().find(|line| line.starts_with(scene))?;
                let (_, rest) = line.split_once(version)?;
                Some(rest.split(' ').next()?.to_owned())
            };
            let hashes = [hash_of("scene@0", " v2 ")?, hash_of("scene@1", of_second)?];
            let is_old = hashes.contains(&hash);
            (!is_old && (hashes[0] == hashes[1]) == are_same).then_some(())
        })
        .await;
    };
    shown(false, " v2 ").await;
    let (code, said) = redrabbit(&cluster, &["reload", "scene@1"]).await;
    assert_eq!(code, Some(0), "{said:?}");
    shown(true, " v3 ").await;
}
