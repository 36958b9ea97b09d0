//! What a connection costs while nothing happens on it.

use std::io::{Read, Write};

use protocol::client::encode_frame;
use topology::Limits;

use super::{Fixture, eventually, limits};

/// The most that an idle TCP session may cost the gate, of what its process
/// allocates: the system's share of a socket is not in it.
const MOST: usize = 3 * 1024;
const SESSIONS: usize = 4_000;

/// Bytes of memory that this process holds.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = pages.split(' ').nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

/// Alone in its process: what other tests allocate would count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures the whole process; run it alone, and with --release"]
async fn idle_session_costs_little() {
    let fixture = Fixture::with(Limits {
        unverified_per_gate: 10_000,
        connections_per_address: 100_000,
        idle_timeout: std::time::Duration::from_secs(600),
        ..limits()
    })
    .await;
    let address = fixture.tcp();
    let connect = move |from: usize, to: usize| {
        let sockets = (from..to).map(|number| {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            let key = encode_frame(0, 0, format!("ok:client{number}").as_bytes());
            socket.write_all(&key).unwrap();
            let mut head = [0; 8];
            socket.read_exact(&mut head).unwrap();
            let mut answer = vec![0; head[0].into()];
            socket.read_exact(&mut answer).unwrap();
            socket
        });
        sockets.collect::<Vec<_>>()
    };
    let warm_up = tokio::task::spawn_blocking(move || connect(0, 500));
    let _warm_up = warm_up.await.unwrap();
    fixture.scene.forget();
    let before = resident();
    let idle = tokio::task::spawn_blocking(move || connect(500, 500 + SESSIONS));
    let _idle = idle.await.unwrap();
    eventually("all are in", || fixture.gate.sessions() == 500 + SESSIONS).await;
    fixture.scene.forget();
    let each = (resident() - before) / SESSIONS;
    println!("{each} bytes a session");
    assert!(each <= MOST, "{each} bytes");
}
