//! Clients that offend again and again, each in its own way.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use protocol::client::encode_frame;
use tests::{Group, Seed};
use tokio::{io::AsyncWriteExt, runtime::Builder, sync::watch, task::JoinSet, time::sleep};

use crate::{
    rate::sends_without_end,
    wire::{BINARY, PING, Raw, message},
};

/// Offenders come from so many addresses of this machine.
const ADDRESSES: usize = 50;

/// Each takes such a rest, on average, between two offences.
const REST: Duration = Duration::from_secs(2);

/// What somebody does, and what the gate may say to it. Of those who are crowded
/// out, or do not read, not everybody can be told.
const KINDS: [(&str, &[&str]); 10] = [
    ("says nothing", STRANGER),
    ("drips a head", STRANGER),
    ("garbage", &["frame_too_large"]),
    ("wrong flags", &["protocol_error"]),
    ("oversize frame", &["frame_too_large"]),
    ("connects and resets", &["gone"]),
    ("never reads", &["slow_consumer", "without a word"]),
    (
        "pings and never reads",
        &["idle", "rate_limited", "without a word"],
    ),
    ("no mask", &["protocol_error"]),
    ("too fast", &["rate_limited"]),
];

/// Before it could offend: in a crowd not everybody gets in, or in time.
const TURNED_AWAY: &str = "turned away";

/// What a client hears that never says who it is.
const STRANGER: &[&str] = &["verify_timeout", "crowded_out", "without a word"];

/// What became of offences: how often each kind ended in which way.
type Outcomes = BTreeMap<(&'static str, String), u64>;

/// Clients that offend while they are told to.
pub(crate) struct Offenders {
    on: watch::Sender<bool>,
    outcomes: Arc<Mutex<Outcomes>>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Copy)]
struct Gate {
    tcp: SocketAddr,
    websocket: SocketAddr,
}

impl Offenders {
    /// So many. They have a thread to themselves, which has to stand back: it
    /// is the gate that they should keep busy, not the machine.
    pub(crate) fn gather(group: &Group, count: usize) -> Offenders {
        let (on, listening) = watch::channel(false);
        let outcomes = Arc::new(Mutex::new(Outcomes::new()));
        let gate = Gate {
            tcp: group.tcp(),
            websocket: (group.tcp().ip(), 10243).into(),
        };
        let thread = std::thread::spawn({
            let outcomes = Arc::clone(&outcomes);
            move || {
                rustix::process::nice(10).unwrap();
                let runtime = Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let mut all = JoinSet::new();
                    let mut seed = Seed::new();
                    for n in 0..count {
                        seed.below(2);
                        all.spawn(offend_on(
                            listening.clone(),
                            n,
                            gate,
                            seed.clone(),
                            Arc::clone(&outcomes),
                        ));
                    }
                    all.join_all().await;
                });
            }
        });
        Offenders {
            on,
            outcomes,
            thread,
        }
    }

    pub(crate) fn begin(&self) {
        self.on.send_replace(true);
    }

    /// Everybody leaves, until it begins again.
    pub(crate) fn rest(&self) {
        self.on.send_replace(false);
    }

    /// What became of all of it, one kind a line. Fails where an offence ended
    /// in a way that it should not, or a kind never came to it.
    pub(crate) fn end(self) -> String {
        drop(self.on);
        self.thread.join().unwrap();
        let outcomes = self.outcomes.lock().unwrap();
        let mut text = String::new();
        for ((kind, outcome), count) in &*outcomes {
            writeln!(text, "  {kind}: {outcome}, {count} times").unwrap();
        }
        for (kind, expected) in KINDS {
            let of_kind = outcomes.keys().filter(|(other, _)| *other == kind);
            let mut ended = of_kind.filter(|(_, outcome)| !outcome.starts_with(TURNED_AWAY));
            assert!(ended.clone().count() > 0, "{text}nobody {kind}");
            assert!(
                ended.all(|(_, outcome)| expected.contains(&&**outcome)),
                "{text}{kind}: expected {expected:?}"
            );
        }
        text
    }
}

async fn offend_on(
    mut on: watch::Receiver<bool>,
    n: usize,
    gate: Gate,
    mut seed: Seed,
    outcomes: Arc<Mutex<Outcomes>>,
) {
    let (kind, _) = KINDS[n % KINDS.len()];
    while on.wait_for(|on| *on).await.is_ok() {
        let rest = REST.mul_f64(seed.below(2000) as f64 / 1000.0);
        let offence = async {
            sleep(rest).await;
            offend(n, gate).await
        };
        let outcome = tokio::select! {
            outcome = offence => {
                outcome.unwrap_or_else(|error| format!("{TURNED_AWAY} ({error})"))
            }
            _ = on.wait_for(|on| !*on) => continue,
        };
        *outcomes.lock().unwrap().entry((kind, outcome)).or_default() += 1;
    }
}

/// Offends once, in the way of the `n`th, and says what the gate said.
async fn offend(n: usize, gate: Gate) -> io::Result<String> {
    let source = Ipv4Addr::new(127, 2, 0, (n / KINDS.len() % ADDRESSES) as u8 + 1);
    let name = format!("offender-{n}");
    let tcp = async || Raw::from(source, gate.tcp).await;
    let tcp_client = async || {
        let mut client = tcp().await?;
        client.login(&name).await?;
        io::Result::Ok(client)
    };
    let websocket_client = async || {
        let mut client = Raw::from(source, gate.websocket).await?.upgrade().await?;
        client.login(&name).await?;
        io::Result::Ok(client)
    };
    let mut client = match n % KINDS.len() {
        0 => tcp().await?,
        1 => return drips(tcp().await?).await,
        2 => sends(tcp_client().await?, &[0xff; 4096]).await,
        3 => sends(tcp().await?, &encode_frame(0, 0x8001, name.as_bytes())).await,
        4 => {
            sends(
                tcp_client().await?,
                &encode_frame(1, 0, &[0; 64 * 1024 + 1]),
            )
            .await
        }
        5 => {
            for _ in 0..10 {
                tcp().await?.reset();
            }
            return Ok("gone".to_owned());
        }
        6 => {
            let mut client = Raw::narrow(source, gate.tcp).await?;
            client.login(&name).await?;
            return Ok(never_reads(client, &encode_frame(1, 0, &[0; 8_000])).await);
        }
        7 => {
            let client = websocket_client().await?;
            return Ok(never_reads(client, &message(PING, &[0; 125]).repeat(100)).await);
        }
        8 => sends(websocket_client().await?, &[BINARY, 1, 0]).await,
        _ => {
            let client = tcp_client().await?;
            return Ok(sends_without_end(client, &encode_frame(1, 0, &[0; 64])).await);
        }
    };
    Ok(client.until_end().await)
}

/// The gate may have closed before it has been sent.
async fn sends(mut client: Raw, bytes: &[u8]) -> Raw {
    let _ = client.send(bytes).await;
    client
}

async fn drips(mut client: Raw) -> io::Result<String> {
    for byte in [8, 0, 0] {
        // One of them may come too late.
        let _ = client.send(&[byte]).await;
        sleep(Duration::from_millis(300)).await;
    }
    Ok(client.until_end().await)
}

/// Sends until the gate has enough of it, and only then looks why.
async fn never_reads(mut client: Raw, bytes: &[u8]) -> String {
    while client.socket.write_all(bytes).await.is_ok() {}
    client.until_end().await
}
