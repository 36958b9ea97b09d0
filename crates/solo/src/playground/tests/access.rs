//! Who may do what.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::fixture::{Running, SOURCE};
use crate::playground::{Backend, Checked, Playground, Status};

const WITH_TOKEN: [(&str, &str); 4] = [
    ("GET", "/api/script"),
    ("PUT", "/api/script"),
    ("POST", "/api/reload"),
    ("GET", "/api/events"),
];

#[tokio::test]
async fn page_opens_without_a_token_and_holds_no_secret() {
    let playground = Running::start().await;
    for path in [
        "/",
        "/app.js",
        "/app.css",
        "/rabbit.svg",
        "/licenses.txt",
        "/api/config",
    ] {
        let answer = playground.request("GET", path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            !answer.head.contains(&playground.token) && !answer.body.contains(&playground.token),
            "{path}"
        );
        assert!(
            answer.head.contains("x-content-type-options: nosniff"),
            "{path}"
        );
        assert!(answer.head.contains("cache-control: no-store"), "{path}");
    }
    let config = playground.request("GET", "/api/config").send().await;
    assert_eq!(
        config.json(),
        serde_json::json!({ "websocket_port": 10243 })
    );
}

#[tokio::test]
async fn page_may_load_our_own_files_and_speak_to_the_gate_only() {
    let playground = Running::start().await;
    let nonce_of = |head: &str| {
        head.split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned()
    };
    let one = playground.request("GET", "/").send().await;
    let two = playground
        .request("GET", "/")
        .host(&format!("localhost:{}", playground.port))
        .send()
        .await;
    assert!(
        one.head
            .contains("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-")
    );
    assert!(
        one.head
            .contains("connect-src 'self' ws://127.0.0.1:10243;")
    );
    assert!(
        two.head
            .contains("connect-src 'self' ws://localhost:10243;")
    );
    assert!(one.head.contains("frame-ancestors 'none'"));
    assert!(
        one.body
            .contains(&format!("nonce=\"{}\"", nonce_of(&one.head)))
    );
    assert_ne!(nonce_of(&one.head), nonce_of(&two.head));
}

#[tokio::test]
async fn script_is_closed_without_the_token() {
    let playground = Running::start().await;
    for (method, path) in WITH_TOKEN {
        let none = playground.request(method, path).body("stolen").send().await;
        assert_eq!(none.status, 401, "{method} {path}");
        let mut wrong = playground.token.clone();
        wrong.replace_range(..1, if wrong.starts_with('0') { "1" } else { "0" });
        for wrong in [
            format!("Bearer {wrong}"),
            "Bearer ".into(),
            format!("Basic {}", playground.token),
            playground.token.clone(),
        ] {
            let answer = playground
                .request(method, path)
                .header("Authorization", &wrong)
                .body("stolen")
                .send()
                .await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(!answer.body.contains("loading"));
        }
    }
    assert_eq!(playground.written(), SOURCE);
}

#[tokio::test]
async fn token_in_the_address_is_not_enough() {
    let playground = Running::start().await;
    let path = format!("/api/script?token={}", playground.token);
    assert_eq!(playground.request("GET", &path).send().await.status, 401);
}

#[tokio::test]
async fn foreign_host_is_refused_even_with_the_token() {
    let playground = Running::start().await;
    let foreign = [
        format!("evil.example:{}", playground.port),
        "127.0.0.1".into(),
        format!("127.0.0.1:{}", playground.port ^ 1),
    ];
    for host in foreign {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/api/config"),
            ("GET", "/api/script"),
            ("PUT", "/api/script"),
        ] {
            let answer = playground
                .with_token(method, path)
                .host(&host)
                .body("x")
                .send()
                .await;
            assert_eq!(answer.status, 421, "{method} {path} at {host}");
        }
    }
    assert_eq!(playground.written(), SOURCE);
}

#[tokio::test]
async fn foreign_origin_is_refused_even_with_the_token() {
    let playground = Running::start().await;
    for origin in ["http://evil.example", "null", "http://localhost:3000"] {
        for (method, path) in WITH_TOKEN {
            let answer = playground
                .with_token(method, path)
                .header("Origin", origin)
                .body("x")
                .send()
                .await;
            assert_eq!(answer.status, 403, "{method} {path} from {origin}");
            assert!(!answer.head.contains("access-control-allow"));
        }
    }
    let own = format!("http://127.0.0.1:{}", playground.port);
    assert_eq!(
        playground
            .with_token("GET", "/api/script")
            .header("Origin", &own)
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn nothing_else_is_served() {
    let playground = Running::start().await;
    assert_eq!(
        playground.request("GET", "/main.py").send().await.status,
        404
    );
    assert_eq!(
        playground.request("GET", "/../main.py").send().await.status,
        404
    );
    assert_eq!(
        playground
            .with_token("DELETE", "/api/script")
            .send()
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn listener_beyond_loopback_is_refused() {
    struct Nothing;
    impl Backend for Nothing {
        fn websocket_port(&self) -> u16 {
            0
        }
        fn status(&self) -> watch::Receiver<Status> {
            watch::channel(Status::default()).1
        }
        fn script_path(&self) -> &std::path::Path {
            "main.py".as_ref()
        }
        fn check(&self, _: String) -> Checked<'_> {
            Box::pin(std::future::ready(Ok(())))
        }
    }
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = Playground::build(listener, Arc::new(Nothing))
        .err()
        .unwrap();
    assert!(
        refused
            .to_string()
            .contains("loopback only, not on 0.0.0.0"),
        "{refused}"
    );
}
