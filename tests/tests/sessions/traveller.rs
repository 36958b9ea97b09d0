//! A client that sends numbers all the time, and counts what comes of them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use client::{Client, ClientError, Frame};
use tests::within;
use tokio::{sync::watch, task::JoinHandle, time::interval};

/// A client and its task.
pub(crate) struct Traveller {
    stop: watch::Sender<bool>,
    task: JoinHandle<Tally>,
}

/// How it travels.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Between two numbers.
    pub(crate) pause: Duration,
    /// As many may be unanswered.
    pub(crate) in_flight: u64,
    /// The scene that it goes to from the one where it has arrived, given how
    /// many there were before that.
    pub(crate) next: fn(u64) -> Option<&'static str>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The numbers that were sent: all below this one.
    pub(crate) sent: u64,
    /// The number that is to be answered next.
    expected: u64,
    /// How many were never answered, though later ones were.
    pub(crate) missing: u64,
    /// How often the process that answers was another one.
    pub(crate) moves: u64,
    /// The process that answered last.
    at: u32,
    /// The longest time without an answer.
    pub(crate) longest: Duration,
    /// Why the gate has ended the connection, if it has.
    pub(crate) closed: Option<String>,
    /// Whether the gate has said that it drains.
    pub(crate) warned: bool,
}

pub(crate) const STEADY: Plan = Plan {
    pause: Duration::from_millis(20),
    in_flight: 12,
    next: stays,
};

/// It goes nowhere.
pub(crate) fn stays(_: u64) -> Option<&'static str> {
    None
}

/// From scene@0 to scene@1, and back, and there again.
pub(crate) fn bounces(arrivals: u64) -> Option<&'static str> {
    ["scene@1", "scene@0"].get(arrivals as usize % 2).copied()
}

/// From scene@0 to scene@1, where it stays.
pub(crate) fn goes_once(arrivals: u64) -> Option<&'static str> {
    (arrivals == 0).then_some("scene@1")
}

/// Nothing has been answered for so long: what is out may be lost.
const PATIENCE: Duration = Duration::from_secs(1);

impl Traveller {
    /// Logs in and begins.
    pub(crate) async fn join(
        gate: SocketAddr,
        name: &str,
        plan: Plan,
    ) -> Result<Traveller, ClientError> {
        let mut client = Client::connect_tcp(gate).await?;
        within("the login is answered", client.login(name)).await?;
        Ok(Traveller::begin(client, plan))
    }

    fn begin(client: Client, plan: Plan) -> Traveller {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(travel(client, plan, stopped));
        Traveller { stop, task }
    }

    /// Ends when everything has been answered, or can be told to be missing.
    pub(crate) async fn stop(self) -> Tally {
        self.stop.send_replace(true);
        within("a traveller has its last answer", self.task)
            .await
            .unwrap()
    }

    /// Waits until the gate has ended the connection.
    pub(crate) async fn closed(self) -> Tally {
        within("the gate closes it", self.task).await.unwrap()
    }

    /// Whether the gate has ended the connection.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

async fn travel(mut client: Client, plan: Plan, mut stop: watch::Receiver<bool>) -> Tally {
    let mut tally = Tally::default();
    let mut turns = interval(plan.pause);
    let mut heard = Instant::now();
    // The last number, which is answered when nothing before it can be any more.
    let mut last = None;
    while last.is_none_or(|last| tally.expected <= last) {
        tokio::select! {
            frame = client.recv() => match frame {
                Ok(frame) => {
                    tally.longest = tally.longest.max(heard.elapsed());
                    heard = Instant::now();
                    if tally.hear(&frame)
                        && last.is_none()
                        && let Some(scene) = (plan.next)(tally.moves)
                    {
                        let _ = client.send(2, scene.as_bytes()).await;
                    }
                }
                Err(ClientError::Closed { reason }) => {
                    tally.closed = Some(reason);
                    break;
                }
                Err(error) => {
                    tally.closed = Some(format!("without a word: {error}"));
                    break;
                }
            },
            _ = turns.tick(), if last.is_none() => {
                let out = tally.sent - tally.expected;
                if out < plan.in_flight || heard.elapsed() > PATIENCE {
                    tally.send(&mut client).await;
                }
            }
            _ = async { stop.wait_for(|stop| *stop).await.is_ok() }, if last.is_none() => {
                last = Some(tally.sent);
                tally.send(&mut client).await;
            }
        }
    }
    tally.warned = client.is_draining();
    tally
}

impl Tally {
    async fn send(&mut self, client: &mut Client) {
        let number = self.sent.to_string();
        self.sent += 1;
        // A connection that has ended says why when it is read.
        let _ = client.send(1, number.as_bytes()).await;
    }

    /// Takes an answer, and says whether it came from another process than the
    /// one before.
    fn hear(&mut self, frame: &Frame) -> bool {
        assert_eq!(frame.cmd, 1);
        let body = std::str::from_utf8(&frame.body).unwrap();
        let (number, process) = body.split_once(' ').unwrap();
        let (number, process): (u64, u32) = (number.parse().unwrap(), process.parse().unwrap());
        assert!(number < self.sent, "{number} was never sent");
        assert!(
            number >= self.expected,
            "{number} came twice, or out of order"
        );
        self.missing += number - self.expected;
        self.expected = number + 1;
        let before = std::mem::replace(&mut self.at, process);
        self.moves += u64::from(before != process && before != 0);
        before != process
    }
}
