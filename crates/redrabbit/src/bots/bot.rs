//! One bot: logs in, talks, and comes back if it is told to.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use client::{CMD_PING, Client, ClientError, Frame, Receiver, Sender};
use futures_util::FutureExt;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    door::Door,
    echo::Echo,
    ledger::{Answer, Ledger},
    pace::{Pace, Speed},
    tally::Tally,
};

/// What all bots share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) doors: Vec<Door>,
    pub(super) name: String,
    pub(super) cmd: u16,
    pub(super) echo: Echo,
    pub(super) speed: Speed,
    pub(super) reconnect: bool,
    pub(super) tally: Tally,
    /// Bots send no more, and go when everything is answered.
    pub(super) finish: CancellationToken,
    /// Bots go at once.
    pub(super) over: CancellationToken,
}

/// A client that sends numbers and wants them back.
#[derive(Debug)]
pub(super) struct Bot {
    shared: Arc<Shared>,
    index: usize,
    /// How often it has tried to connect.
    attempts: usize,
    /// How often it was let in.
    logins: u64,
    is_connected: bool,
    ledger: Ledger<Instant>,
    /// The message that is made.
    body: Vec<u8>,
}

/// Why it has stopped talking.
enum Parting {
    /// Everything is answered, and no more is wanted.
    Done,
    /// Everything is answered, and the gate is going.
    Draining,
    /// The connection has ended.
    Lost(ClientError),
}

/// How long a login may take. The gate has a limit too, unless it is no gate.
const LOGIN: Duration = Duration::from_secs(15);
/// How long saying good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// A bot that has not sent anything for so long says that it is there.
const PING: Duration = Duration::from_secs(20);
/// As much goes to the socket before answers are looked for.
const ROUND_BYTES: usize = 32 * 1024;
/// The first and the longest pause before another attempt, each half by chance.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl Bot {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Bot {
        Bot {
            shared,
            index,
            attempts: 0,
            logins: 0,
            is_connected: false,
            ledger: Ledger::new(),
            body: Vec::new(),
        }
    }

    /// From its first login, at `start`, to its end.
    pub(super) async fn run(mut self, start: Instant) {
        let over = self.shared.over.clone();
        let is_present = tokio::select! {
            biased;
            () = over.cancelled() => self.is_connected,
            is_present = self.live(start) => is_present,
        };
        let tally = &self.shared.tally;
        tally.unanswered.add(self.ledger.begin_anew());
        if !is_present {
            tally.absent.up();
        }
    }

    /// Says whether it was there to the end.
    async fn live(&mut self, start: Instant) -> bool {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            // It has not been asked to come any more.
            () = shared.finish.cancelled() => return true,
            () = sleep_until(start) => {}
        }
        let mut pause = PAUSES.0;
        loop {
            if let Some(client) = self.login().await {
                pause = PAUSES.0;
                match self.talk(client).await {
                    Parting::Done => return true,
                    Parting::Draining => self.parted("left a gate that is draining"),
                    Parting::Lost(error) => self.parted(&text(&error)),
                }
            }
            // One that was there goes on to the end, to be seen to be back.
            if !shared.reconnect || (self.logins == 0 && shared.finish.is_cancelled()) {
                return false;
            }
            sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn login(&mut self) -> Option<Client> {
        let shared = Arc::clone(&self.shared);
        let tally = &shared.tally;
        let door = &shared.doors[(self.index + self.attempts) % shared.doors.len()];
        self.attempts += 1;
        let begun = Instant::now();
        let coming = timeout(LOGIN, async {
            let name = format!("{}{}", shared.name, self.index);
            door.login(&name).await
        });
        match coming.await {
            Ok(Ok(client)) => {
                tally.login_took(begun.elapsed());
                tally.logins.up();
                tally.connected.up();
                if self.logins > 0 {
                    tally.reconnects.up();
                }
                self.logins += 1;
                self.is_connected = true;
                return Some(client);
            }
            Ok(Err(error)) => tally.ended(&text(&error)),
            Err(_) => tally.ended(&format!("no answer to a login for {} s", LOGIN.as_secs())),
        }
        None
    }

    /// The connection is over.
    fn parted(&mut self, how: &str) {
        self.is_connected = false;
        let tally = &self.shared.tally;
        tally.connected.down();
        tally.ended(how);
        tally.in_hand.add(self.ledger.begin_anew());
    }

    /// Sends and hears until there is a reason not to. Whatever waits to be written
    /// never keeps it from reading: two who do not read would wait for each other.
    async fn talk(&mut self, client: Client) -> Parting {
        let shared = Arc::clone(&self.shared);
        let (mut sender, mut receiver) = client.split();
        let begun = Instant::now();
        let mut pace = Pace::new(shared.speed, begun, phase(self.index));
        let mut spoken = begun;
        let mut is_unwritten = false;
        let mut finish = pin!(shared.finish.cancelled());
        let mut is_finishing = false;
        let mut timer = pin!(sleep_until(begun));
        loop {
            let is_leaving = shared.reconnect && receiver.is_draining();
            if is_finishing || is_leaving {
                if self.ledger.out() == 0 {
                    // What a gate has to say against that is of no interest.
                    let _ = timeout(GOODBYE, sender.close()).await;
                    return if is_finishing {
                        Parting::Done
                    } else {
                        Parting::Draining
                    };
                }
            } else if !is_unwritten {
                match self.send_due(&mut sender, &mut pace, &mut spoken) {
                    Ok(sent) => is_unwritten = sent,
                    Err(error) => return Parting::Lost(self.last_word(error, &mut receiver).await),
                }
            }
            rest(
                timer.as_mut(),
                pace.wake(self.ledger.out()).min(spoken + PING),
            );
            let is_sending = !is_finishing && !is_leaving;
            tokio::select! {
                heard = receiver.recv() => match heard {
                    Ok(frame) => self.heard(&frame, &mut pace),
                    Err(error) => return Parting::Lost(error),
                },
                written = sender.flush(), if is_unwritten => match written {
                    Ok(()) => is_unwritten = false,
                    Err(error) => return Parting::Lost(self.last_word(error, &mut receiver).await),
                },
                () = timer.as_mut(), if is_sending && !is_unwritten => {}
                () = &mut finish, if !is_finishing => is_finishing = true,
            }
        }
    }

    /// Feeds what is due. Says whether something waits to be written.
    fn send_due(
        &mut self,
        sender: &mut Sender,
        pace: &mut Pace,
        spoken: &mut Instant,
    ) -> Result<bool, ClientError> {
        let now = Instant::now();
        let mut bytes = 0;
        while bytes < ROUND_BYTES
            && let Some(from) = pace.take(now, self.ledger.out())
        {
            let number = self.ledger.sent(from);
            self.shared.echo.write(number, &mut self.body);
            bytes += self.body.len();
            self.shared.tally.sent.up();
            feed(sender, self.shared.cmd, &self.body)?;
        }
        if bytes == 0 && now >= *spoken + PING {
            feed(sender, CMD_PING, b"")?;
            bytes = 1;
        }
        if bytes > 0 {
            *spoken = now;
        }
        Ok(bytes > 0)
    }

    fn heard(&mut self, frame: &Frame, pace: &mut Pace) {
        let tally = &self.shared.tally;
        if frame.cmd != self.shared.cmd {
            if frame.cmd != CMD_PING {
                tally.others.up();
            }
            return;
        }
        let Some(number) = self.shared.echo.read(&frame.body) else {
            return tally.altered.up();
        };
        match self.ledger.answered(number) {
            Answer::Forward { sent, skipped } => {
                let now = Instant::now();
                pace.moved(now);
                tally.answered.up();
                tally.lost.add(skipped);
                tally.took(now - sent);
            }
            Answer::OutOfOrder => {
                tally.answered.up();
                tally.out_of_order.up();
                tally.lost.down();
            }
            Answer::Repeated => tally.repeated.up(),
            Answer::Belated => tally.belated.up(),
            Answer::Unasked => tally.altered.up(),
        }
    }

    /// Why a socket could not be written to: what the gate has said before it
    /// closed it is in there still. Answers on the way count.
    async fn last_word(&mut self, error: ClientError, receiver: &mut Receiver) -> ClientError {
        let mut nobody = Pace::new(self.shared.speed, Instant::now(), 0.0);
        let reading = async {
            loop {
                match receiver.recv().await {
                    Ok(frame) => self.heard(&frame, &mut nobody),
                    Err(error) => return error,
                }
            }
        };
        match timeout(GOODBYE, reading).await {
            Ok(reason @ ClientError::Closed { .. }) => reason,
            _ => error,
        }
    }
}

/// Takes a message in: there is room, since nothing of an earlier round waits to be
/// written. One that is large goes to the socket as far as that has room now.
fn feed(sender: &mut Sender, cmd: u16, body: &[u8]) -> Result<(), ClientError> {
    sender.feed(cmd, body).now_or_never().unwrap_or(Ok(()))
}

/// Sets the timer anew if it has to be: most of the time it has not.
fn rest(timer: Pin<&mut Sleep>, until: Instant) {
    if timer.deadline() != until {
        timer.reset(until);
    }
}

/// From 0 to 1, evenly spread however many bots there are.
fn phase(index: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (index as f64 * GOLDEN).fract()
}

/// What happened, in the few words that a table has room for.
fn text(error: &ClientError) -> String {
    match error {
        ClientError::Closed { reason } => format!("closed: {reason}"),
        ClientError::Refused { reason } => format!("refused: {reason}"),
        ClientError::Io(error) => error.kind().to_string(),
        ClientError::WebSocket(error) => format!("websocket: {error}"),
        other => other.to_string(),
    }
}
