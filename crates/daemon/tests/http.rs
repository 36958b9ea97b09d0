//! The pages that operators' tools read, over a real socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{net::SocketAddr, path::Path, time::Duration};

use daemon::{HttpServer, ListenSite, Metrics, Readiness, http};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(10);

fn start(readiness: &Readiness) -> HttpServer {
    let any = "127.0.0.1:0".parse().unwrap();
    let site = ListenSite::new("gate@0", "gates.gate@0.http", Path::new("local.toml"));
    http::serve(any, &site, readiness.clone()).unwrap()
}

/// The status and the whole answer.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(SOON, asking).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// The value of a metric that has no labels.
fn value(page: &str, name: &str) -> f64 {
    let line = page
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("{name} is not in {page}"));
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn readyz_follows_the_readiness() {
    let readiness = Readiness::starting();
    let server = start(&readiness);
    let (status, page) = get(server.address(), "/readyz").await;
    assert_eq!(status, 503);
    assert!(page.ends_with("\r\n\r\nstarting\n"), "{page}");

    readiness.set_ready();
    assert_eq!(get(server.address(), "/readyz").await.0, 200);

    readiness.set_not_ready("draining");
    let (status, page) = get(server.address(), "/readyz").await;
    assert_eq!(status, 503);
    assert!(page.ends_with("\r\n\r\ndraining\n"), "{page}");
}

#[tokio::test]
async fn healthz_answers_whether_ready_or_not() {
    let server = start(&Readiness::starting());
    assert_eq!(get(server.address(), "/healthz").await.0, 200);
    assert_eq!(get(server.address(), "/nothing").await.0, 404);
}

#[tokio::test]
async fn metrics_show_what_was_counted_and_what_the_process_takes() {
    Metrics::install();
    metrics::counter!("redrabbit_test_frames_total", "reason" => "test").increment(3);
    metrics::histogram!("redrabbit_test_seconds").record(0.003);
    let server = start(&Readiness::starting());
    let (status, page) = get(server.address(), "/metrics").await;
    assert_eq!(status, 200);
    assert!(page.contains("text/plain; version=0.0.4"), "{page}");
    assert!(
        page.contains(r#"redrabbit_test_frames_total{reason="test"} 3"#),
        "{page}"
    );
    assert!(
        page.contains(r#"redrabbit_test_seconds_bucket{le="0.005"} 1"#),
        "{page}"
    );
    assert!(page.contains(r#"redrabbit_build_info{version="#), "{page}");
    assert!(value(&page, "process_open_fds") >= 3.0);
    assert!(value(&page, "process_resident_memory_bytes") > 100_000.0);
    assert!(value(&page, "process_cpu_seconds_total") >= 0.0);
}

#[tokio::test]
async fn a_stopped_server_listens_no_more() {
    let server = start(&Readiness::starting());
    let address = server.address();
    timeout(SOON, server.stop(Duration::from_secs(1)))
        .await
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_listens_no_more() {
    let server = start(&Readiness::starting());
    let address = server.address();
    drop(server);
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, refused).await.unwrap();
}
