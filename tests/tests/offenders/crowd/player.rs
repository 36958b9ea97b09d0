//! Clients that behave, and measure how they are served.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use client::Client;
use tests::{Group, Histogram, within};
use tokio::{runtime::Builder, task::JoinSet, time::interval_at};

/// How often each of them asks.
pub(crate) const A_SECOND: f64 = 10.0;

/// Clients that ask, and are answered each time what they asked. They have a
/// thread to themselves, so that offenders are not in their way on this side.
pub(crate) struct Players {
    measured: Arc<Mutex<Histogram>>,
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Players {
    pub(crate) async fn join(group: &Group, count: usize) -> Players {
        let measured = Arc::new(Mutex::new(Histogram::default()));
        let leaving = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        let (tcp, websocket) = (group.tcp(), group.websocket());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (ready_tx, ready_rx) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn({
            let (measured, leaving) = (Arc::clone(&measured), Arc::clone(&leaving));
            move || {
                runtime.block_on(async {
                    for n in 0..count {
                        let mut client = match n % 4 {
                            0 => Client::connect_websocket(&websocket).await.unwrap(),
                            _ => Client::connect_tcp(tcp).await.unwrap(),
                        };
                        client.login(&format!("player-{n}")).await.unwrap();
                        clients.push(client);
                    }
                    ready_tx.send(()).unwrap();
                    let mut playing = JoinSet::new();
                    for (n, client) in clients.into_iter().enumerate() {
                        playing.spawn(play(n, client, Arc::clone(&measured), Arc::clone(&leaving)));
                    }
                    playing.join_all().await;
                });
            }
        });
        within("the players are in", ready_rx).await.unwrap();
        Players {
            measured,
            leaving,
            thread,
        }
    }

    /// How they are served from now on, for so long.
    pub(crate) async fn measure(&self, length: Duration) -> Histogram {
        self.measured
            .lock()
            .unwrap()
            .clone_from(&Histogram::default());
        tokio::time::sleep(length).await;
        assert!(!self.thread.is_finished(), "a player was not served");
        self.measured.lock().unwrap().clone()
    }

    /// Ends, and fails where one of them has lost anything.
    pub(crate) fn leave(self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

async fn play(
    n: usize,
    mut client: Client,
    measured: Arc<Mutex<Histogram>>,
    leaving: Arc<AtomicBool>,
) {
    let turn = Duration::from_secs_f64(1.0 / A_SECOND);
    // Each at a time of its own.
    let first = tokio::time::Instant::now() + turn.mul_f64(n as f64 / 100.0 % 1.0);
    let mut turns = interval_at(first, turn);
    for round in 0u64.. {
        turns.tick().await;
        if leaving.load(Ordering::Relaxed) {
            return;
        }
        let mut body = [0; 64];
        body[..8].copy_from_slice(&round.to_le_bytes());
        let begun = Instant::now();
        client.send(1, &body).await.unwrap();
        let answer = within("a player is answered", client.recv()).await;
        let answer = answer.unwrap_or_else(|error| panic!("player-{n}: {error}"));
        assert_eq!(answer.body, &body[..], "lost, or out of order");
        measured.lock().unwrap().record(begun.elapsed());
    }
}
