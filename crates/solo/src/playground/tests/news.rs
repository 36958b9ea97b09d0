//! News of reloads.

use std::time::{Duration, UNIX_EPOCH};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::fixture::{DEADLINE, Running};
use crate::playground::Status;

/// Reads until `text` has come; false when the stream ends before.
async fn comes(stream: &mut TcpStream, seen: &mut String, text: &str) -> bool {
    tokio::time::timeout(DEADLINE, async {
        while !seen.contains(text) {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await.unwrap() {
                0 => return false,
                count => seen.push_str(std::str::from_utf8(&chunk[..count]).unwrap()),
            }
        }
        true
    })
    .await
    .unwrap_or_else(|_| panic!("no {text:?} in time in {seen:?}"))
}

#[tokio::test]
async fn status_comes_at_once_and_at_each_change() {
    let playground = Running::start().await;
    let mut stream = playground.with_token("GET", "/api/events").open().await;
    let mut seen = String::new();
    assert!(
        comes(
            &mut stream,
            &mut seen,
            r#"data: {"version":0,"hash":"","loaded_at":null,"error":null}"#
        )
        .await
    );
    assert!(seen.contains("content-type: text/event-stream"));
    let loaded_at = Some(UNIX_EPOCH + Duration::from_millis(1_500));
    playground.status.send_replace(Status {
        version: 1,
        hash: "c0ffee".into(),
        loaded_at,
        error: None,
    });
    assert!(
        comes(
            &mut stream,
            &mut seen,
            r#"data: {"version":1,"hash":"c0ffee","loaded_at":1500,"error":null}"#
        )
        .await
    );
    playground
        .status
        .send_modify(|status| status.error = Some("Traceback\n  boom".into()));
    assert!(comes(&mut stream, &mut seen, r#""error":"Traceback\n  boom"}"#).await);
}

#[tokio::test]
async fn page_may_reload_when_the_chat_cannot() {
    let playground = Running::start().await;
    let mut status = playground.status.subscribe();
    assert_eq!(
        playground
            .with_token("POST", "/api/reload")
            .send()
            .await
            .status,
        204
    );
    assert!(status.has_changed().unwrap());
    assert_eq!(status.borrow_and_update().version, 1);
    assert_eq!(
        playground
            .request("POST", "/api/reload")
            .send()
            .await
            .status,
        401
    );
    assert!(!status.has_changed().unwrap());
}

#[tokio::test]
async fn shutdown_ends_the_streams_and_the_server() {
    let playground = Running::start().await;
    let mut stream = playground.with_token("GET", "/api/events").open().await;
    let mut seen = String::new();
    assert!(comes(&mut stream, &mut seen, "data:").await);
    playground.shutdown.cancel();
    assert!(!comes(&mut stream, &mut seen, "never said").await);
    tokio::time::timeout(DEADLINE, playground.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn half_a_save_does_not_hold_up_the_shutdown() {
    let playground = Running::start().await;
    let mut stream = playground
        .with_token("PUT", "/api/script")
        .header("If-Match", "\"\"")
        .header("Expect", "100-continue")
        .announce(100)
        .await;
    // Asked to go on, so somebody waits for the rest.
    assert!(comes(&mut stream, &mut String::new(), "100 Continue").await);
    playground.shutdown.cancel();
    tokio::time::timeout(DEADLINE, playground.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
