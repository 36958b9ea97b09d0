//! What the README shows is true.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use serde_json::json;
use tests::{Group, Runs};

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_readmes_game_runs() {
    let (_, rest) = README.split_once("```python\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    let group = Group::start(Runs::Solo, script).await;
    let mut alice = group.player("alice").await;
    assert_eq!(
        alice.hears(1).await,
        json!("alice came, now here: ['alice']")
    );
    let mut bob = group.websocket_player("bob").await;
    bob.send(1, json!(["hello"])).await;
    alice.until(|value| value == &json!("bob: hello")).await;
}

#[test]
fn the_files_that_documents_name_are_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for document in [README, include_str!("../../ARCHITECTURE.md")] {
        for link in document.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if !target.starts_with("http") {
                assert!(
                    std::path::Path::new(root).join(target).exists(),
                    "{target} is not there"
                );
            }
        }
    }
}
