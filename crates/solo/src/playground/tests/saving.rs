//! What saving does to the file, and what it does not.

use std::os::unix::fs::PermissionsExt;

use super::fixture::{Answer, Request, Running, SOURCE};
use crate::playground::file::{MAX_SCRIPT_BYTES, hash};

fn save(playground: &Running, basis: &str, source: impl Into<Vec<u8>>) -> Request {
    playground
        .with_token("PUT", "/api/script")
        .header("If-Match", &format!("\"{basis}\""))
        .body(source)
}

async fn save_over_loaded(playground: &Running, source: impl Into<Vec<u8>>) -> Answer {
    save(playground, &hash(SOURCE.as_bytes()), source)
        .send()
        .await
}

#[tokio::test]
async fn script_comes_with_its_hash_and_place() {
    let playground = Running::start().await;
    let script = playground
        .with_token("GET", "/api/script")
        .send()
        .await
        .json();
    assert_eq!(script["source"], SOURCE);
    assert_eq!(script["hash"], hash(SOURCE.as_bytes()));
    assert_eq!(script["name"], "main.py");
    assert_eq!(script["can_reload"], true);
    assert_eq!(script["path"], playground.script.to_str().unwrap());
}

#[tokio::test]
async fn saved_source_is_the_file_with_its_mode_kept_and_nothing_beside() {
    let playground = Running::start().await;
    std::fs::set_permissions(&playground.script, PermissionsExt::from_mode(0o640)).unwrap();
    let source = "print('héllo')\r\n";
    let saved = save_over_loaded(&playground, source).await;
    assert_eq!(saved.status, 200);
    assert_eq!(saved.json()["hash"], hash(source.as_bytes()));
    assert_eq!(playground.written(), source);
    assert_eq!(
        std::fs::metadata(&playground.script)
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o640
    );
    assert_eq!(playground.files(), 1);
    // The hash of the answer is what the next save starts from.
    assert_eq!(
        save(&playground, &hash(source.as_bytes()), "pass\n")
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn syntax_error_is_placed_and_writes_nothing() {
    let playground = Running::start().await;
    let refused = save_over_loaded(&playground, "pass\na mistake\n").await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json(),
        serde_json::json!({ "line": 2, "column": 3, "message": "invalid syntax" })
    );
    assert_eq!(playground.written(), SOURCE);
    assert_eq!(playground.files(), 1);
}

#[tokio::test]
async fn file_that_changed_meanwhile_is_not_written_over_unless_seen() {
    let playground = Running::start().await;
    std::fs::write(&playground.script, "theirs\n").unwrap();
    let conflict = save_over_loaded(&playground, "mine\n").await;
    assert_eq!(conflict.status, 409);
    assert_eq!(playground.written(), "theirs\n");
    let seen = conflict.json()["hash"].as_str().unwrap().to_owned();
    assert_eq!(save(&playground, &seen, "mine\n").send().await.status, 200);
    assert_eq!(playground.written(), "mine\n");
}

#[tokio::test]
async fn of_pages_that_save_at_once_one_wins_and_the_others_learn_of_it() {
    let playground = Running::start().await;
    let pages = (0..8).map(|page| save_over_loaded(&playground, format!("page {page}\n")));
    let answers = futures_util::future::join_all(pages).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 409).count(),
        7
    );
}

#[tokio::test]
async fn save_must_say_what_it_started_from() {
    let playground = Running::start().await;
    assert_eq!(
        playground
            .with_token("PUT", "/api/script")
            .body("pass\n")
            .send()
            .await
            .status,
        428
    );
    assert_eq!(playground.written(), SOURCE);
}

#[tokio::test]
async fn script_past_the_limit_is_refused_whole() {
    let playground = Running::start().await;
    let refused = save_over_loaded(&playground, vec![b'#'; MAX_SCRIPT_BYTES + 1]).await;
    assert_eq!(refused.status, 413);
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("512 KiB")
    );
    assert_eq!(playground.written(), SOURCE);
    assert_eq!(
        save_over_loaded(&playground, vec![b'#'; MAX_SCRIPT_BYTES])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn bytes_that_are_not_text_are_refused() {
    let playground = Running::start().await;
    assert_eq!(
        save_over_loaded(&playground, *b"\xff\xfe").await.status,
        400
    );
    assert_eq!(playground.written(), SOURCE);
    std::fs::write(&playground.script, b"\xff\xfe").unwrap();
    let answer = playground.with_token("GET", "/api/script").send().await;
    assert!(
        answer.json()["error"]
            .as_str()
            .unwrap()
            .contains("not UTF-8")
    );
}

#[tokio::test]
async fn missing_script_is_said_to_be_missing_and_can_be_written() {
    let playground = Running::start().await;
    std::fs::remove_file(&playground.script).unwrap();
    assert_eq!(
        playground
            .with_token("GET", "/api/script")
            .send()
            .await
            .status,
        404
    );
    assert_eq!(save_over_loaded(&playground, "pass\n").await.status, 200);
    assert_eq!(playground.written(), "pass\n");
}
