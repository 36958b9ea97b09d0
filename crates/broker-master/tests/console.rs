//! The pages of the console, as a browser and a program are answered.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{fs, path::Path, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use broker_master::{Master, MasterConfig};
use futures_util::StreamExt;
use protocol::{Secret, v1::Exports};
use serde_json::Value;
use tokio::{net::TcpListener, time::timeout};
use tower::ServiceExt;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn master() -> Master {
    let config = MasterConfig {
        name: "master@0".parse().unwrap(),
        group: "GroupA".parse().unwrap(),
        secret: Secret::default(),
        lease: Duration::from_secs(3),
        outbox_bytes: 1 << 20,
        build: "0.1.0".to_owned(),
        epoch_file: None,
        tls: None,
        exports: Exports::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Master::start(config, listener).unwrap()
}

fn pages(master: &Master, folder: &Path) -> Router {
    let file = folder.join("token");
    fs::write(&file, TOKEN).unwrap();
    master.console(&file).unwrap()
}

/// What this is answered, by a master that is called as `host`.
async fn ask(
    pages: &Router,
    host: &str,
    path: &str,
    headers: &[(header::HeaderName, &str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path).header(header::HOST, host);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let (head, body) = pages.clone().oneshot(request).await.unwrap().into_parts();
    let body = timeout(Duration::from_secs(30), to_bytes(body, 1 << 20)).await;
    (head.status, head.headers, body.unwrap().unwrap().to_vec())
}

const HERE: &str = "127.0.0.1:10341";

#[tokio::test]
async fn a_token_in_the_address_opens_the_page_and_becomes_a_cookie() {
    let (master, folder) = (master().await, tempfile::tempdir().unwrap());
    let pages = pages(&master, folder.path());
    let (status, headers, body) = ask(&pages, HERE, &format!("/?token={TOKEN}"), &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8(body).unwrap().contains("app.js"));
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self'"), "{policy}");
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(pair, format!("redrabbit_console_GroupA={TOKEN}"));
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");

    let cookies = format!("other=x; {pair}");
    let with_cookie = [(header::COOKIE, &*cookies)];
    let (status, headers, body) = ask(&pages, HERE, "/console/state", &with_cookie).await;
    assert_eq!(
        (status, headers.contains_key(header::SET_COOKIE)),
        (StatusCode::OK, false)
    );
    let state: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&state["group"], &state["nodes"][0]["name"]),
        (&"GroupA".into(), &"master@0".into())
    );
    master.shutdown().await;
}

#[tokio::test]
async fn who_shows_no_token_or_calls_it_otherwise_is_told_what_to_do() {
    let (master, folder) = (master().await, tempfile::tempdir().unwrap());
    let pages = pages(&master, folder.path());
    let wrong = format!("Bearer {TOKEN}x");
    for headers in [&[][..], &[(header::AUTHORIZATION, &*wrong)]] {
        for path in ["/", "/app.js", "/console/state", "/console/events"] {
            let (status, _, body) = ask(&pages, HERE, path, headers).await;
            let text = String::from_utf8(body).unwrap();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(text.contains("redrabbit console"), "{path}: {text}");
            assert_eq!(
                path.starts_with("/console"),
                text.starts_with('{'),
                "{path}: {text}"
            );
        }
    }
    let right = format!("Bearer {TOKEN}");
    let right = [(header::AUTHORIZATION, &*right)];
    let asked = async |host| ask(&pages, host, "/app.css", &right).await.0;
    assert_eq!(asked("evil.example").await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(asked("localhost:8000").await, StatusCode::OK);
    assert_eq!(
        ask(&pages, HERE, "/nowhere", &right).await.0,
        StatusCode::NOT_FOUND
    );
    master.shutdown().await;
}

#[tokio::test]
async fn events_go_on_until_the_master_stops_and_pages_have_a_bound() {
    let (master, folder) = (master().await, tempfile::tempdir().unwrap());
    let pages = pages(&master, folder.path());
    let open = async || {
        let request = Request::get("/console/events")
            .header(header::HOST, HERE)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let request = request.body(Body::empty()).unwrap();
        pages.clone().oneshot(request).await.unwrap()
    };
    let mut streams = Vec::new();
    for number in 0..64 {
        let response = open().await;
        assert_eq!(response.status(), StatusCode::OK, "{number}");
        streams.push(response);
    }
    assert_eq!(open().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    // One that is closed makes room for another.
    let last = streams.pop().unwrap();
    drop(last);
    let last = open().await;
    assert_eq!(last.status(), StatusCode::OK);
    streams.clear();
    let mut events = last.into_body().into_data_stream();
    let patience = Duration::from_secs(30);
    let first = timeout(patience, events.next()).await.unwrap().unwrap();
    let text = String::from_utf8(first.unwrap().to_vec()).unwrap();
    assert!(text.starts_with("data: {"), "{text}");
    master.shutdown().await;
    let rest = events.count();
    timeout(patience, rest).await.unwrap();
}

#[tokio::test]
async fn a_master_without_a_token_that_it_can_read_says_so() {
    let (master, folder) = (master().await, tempfile::tempdir().unwrap());
    let error = master.console(folder.path()).unwrap_err();
    assert!(!error.to_string().is_empty());
    master.shutdown().await;
}
