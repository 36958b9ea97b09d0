//! One role's child: starts it, hears that it is ready, shows what it writes,
//! reports its death, and takes it down.

use std::{io, process::ExitStatus, sync::Arc, time::Duration};

use protocol::NodeName;
use tokio::{io::AsyncReadExt, net::unix::pipe, sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, RoleState},
    child::{Child, Launch},
    line::LineBuffer,
    notify::ReadyEar,
    output::Voice,
    restart::{Backoff, Verdict, describe},
};

/// What a keeper is given.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Whose child it is.
    pub(super) name: NodeName,
    /// What to start.
    pub(super) launch: Launch,
    /// Whether to start it again when it dies.
    pub(super) restart: bool,
    /// How long it may take to stop.
    pub(super) stop_within: Duration,
    /// Where it stands.
    pub(super) board: Board,
    /// Speaks for the child.
    pub(super) child_voice: Voice,
    /// Speaks for us.
    pub(super) voice: Voice,
}

/// A keeper at work.
#[derive(Debug)]
pub(super) struct Kept {
    kill: Kill,
    again: Arc<Notify>,
    task: JoinHandle<()>,
}

/// Ends a keeper's child.
#[derive(Clone, Debug)]
pub(super) struct Kill {
    stop: CancellationToken,
    kill: CancellationToken,
}

/// How one life of the child ended.
enum Life {
    /// By itself.
    Died(ExitStatus),
    /// Because it was told to.
    TakenDown,
    /// The system did not let us start it, or lost it.
    Failed(io::Error),
}

/// The longest line that is shown of a child.
const LONGEST_LINE: usize = 8 * 1024;

/// How long the last lines of a dead child may take to come out of its pipe. It
/// stays open for longer when somebody else holds it.
const LAST_LINES: Duration = Duration::from_millis(500);

impl Keeper {
    /// Starts the child and keeps it. The system kills the child when this
    /// thread ends: see [`Child::spawn`].
    pub(super) fn spawn(self) -> Kept {
        let kill = Kill {
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
        };
        // From now on, so that nobody finds the board without it.
        self.board.set(&self.name, RoleState::Starting);
        let again = Arc::new(Notify::new());
        Kept {
            kill: kill.clone(),
            task: tokio::spawn(self.run(kill, Arc::clone(&again))),
            again,
        }
    }

    async fn run(self, Kill { stop, kill }: Kill, again: Arc<Notify>) {
        let mut backoff = Backoff::new();
        loop {
            self.board.set(&self.name, RoleState::Starting);
            let verdict = match self.live((&stop, &kill), &again, &mut backoff).await {
                Life::TakenDown => break,
                Life::Failed(error) => {
                    let program = self.launch.program.display();
                    self.shout(&format!("cannot be run: {program}: {error}"))
                        .await;
                    Verdict::Stay
                }
                Life::Died(status) => {
                    let verdict = backoff.verdict(status, self.restart);
                    let (how, then) = (describe(status), consequence(verdict));
                    if status.success() {
                        // It was drained, as `redrabbit drain` has it.
                        self.say(&format!("has ended: {how}{then}")).await;
                    } else {
                        self.shout(&format!("died: {how}{then}")).await;
                    }
                    verdict
                }
            };
            let Verdict::StartAgain(delay) = verdict else {
                break;
            };
            self.board.set(&self.name, RoleState::Resting);
            if timeout(delay, stop.cancelled()).await.is_ok() {
                break;
            }
        }
        self.board.set(&self.name, RoleState::Ended);
    }

    /// From start to end.
    async fn live(
        &self,
        (stop, kill): (&CancellationToken, &CancellationToken),
        again: &Notify,
        backoff: &mut Backoff,
    ) -> Life {
        let (ear, (mut child, output)) = match self.start() {
            Ok(started) => started,
            Err(error) => return Life::Failed(error),
        };
        let mut ear = Some(ear);
        let showing = tokio::spawn(show(output, self.child_voice.clone()));
        self.say(&format!("started as process {}", child.pid()))
            .await;
        let life = loop {
            tokio::select! {
                status = child.ended() => break Life::from(status),
                heard = hear(ear.as_ref()) => {
                    if let Err(error) = heard {
                        self.shout(&format!("cannot be heard: {error}")).await;
                    } else {
                        backoff.reset();
                        self.board.set(&self.name, RoleState::Ready);
                        self.say("is ready").await;
                    }
                    ear = None;
                }
                () = again.notified() => child.hang_up(),
                () = stop.cancelled() => {
                    self.take_down(&mut child, kill).await;
                    break Life::TakenDown;
                }
            }
        };
        finish(showing).await;
        life
    }

    fn start(&self) -> io::Result<(ReadyEar, (Child, pipe::Receiver))> {
        let ear = ReadyEar::open().map_err(|error| {
            io::Error::new(error.kind(), format!("nothing to hear it with: {error}"))
        })?;
        let child = Child::spawn(&self.launch, ear.path())?;
        Ok((ear, child))
    }

    /// Asks, waits, insists.
    async fn take_down(&self, child: &mut Child, kill: &CancellationToken) {
        if !kill.is_cancelled() {
            self.say("is asked to stop").await;
        }
        child.terminate();
        let seconds = self.stop_within.as_secs_f64();
        let ended = tokio::select! {
            biased;
            () = kill.cancelled() => None,
            ended = timeout(self.stop_within, child.ended()) => match ended {
                Ok(ended) => Some(ended),
                Err(_) => {
                    self.shout(&format!("has not stopped within {seconds} s: killed")).await;
                    None
                }
            },
        };
        let status = match ended {
            Some(status) => status,
            None => {
                child.kill();
                child.ended().await
            }
        };
        match status {
            Ok(status) => self.say(&format!("stopped: {}", describe(status))).await,
            Err(error) => self.shout(&format!("stopped, it seems: {error}")).await,
        }
    }

    async fn say(&self, text: &str) {
        self.voice.say(&format!("{} {text}", self.name)).await;
    }

    async fn shout(&self, text: &str) {
        self.voice.shout(&format!("{} {text}", self.name)).await;
    }
}

impl Kept {
    /// Asks the child to stop, and no longer starts it again.
    pub(super) fn stop(&self) {
        self.kill.stop.cancel();
    }

    /// Has the child read its files again.
    pub(super) fn read_again(&self) {
        self.again.notify_one();
    }

    /// What ends the child at once.
    pub(super) fn kill(&self) -> Kill {
        self.kill.clone()
    }

    /// Waits until the child has ended for good.
    pub(super) async fn ended(&mut self) {
        if !self.task.is_finished() {
            // A keeper does not panic; if it did, its child is killed with it.
            let _ = (&mut self.task).await;
        }
    }
}

impl Kill {
    /// Ends the child at once, and no longer starts it again.
    pub(super) fn now(&self) {
        self.kill.cancel();
        self.stop.cancel();
    }
}

impl From<io::Result<ExitStatus>> for Life {
    fn from(status: io::Result<ExitStatus>) -> Life {
        match status {
            Ok(status) => Life::Died(status),
            Err(error) => Life::Failed(error),
        }
    }
}

/// What follows from a death, for the end of its report.
fn consequence(verdict: Verdict) -> String {
    match verdict {
        Verdict::Stay => "; it is not started again (--restart would)".to_owned(),
        Verdict::Hopeless => "; to start it again would not help".to_owned(),
        Verdict::StartAgain(delay) => {
            format!("; it is started again in {} s", delay.as_secs())
        }
    }
}

/// Waits for the child to be ready; once that has been heard, for ever.
async fn hear(ear: Option<&ReadyEar>) -> io::Result<()> {
    match ear {
        Some(ear) => ear.ready().await,
        None => std::future::pending().await,
    }
}

/// Shows what a child writes until it writes no more.
async fn show(mut output: pipe::Receiver, voice: Voice) {
    let mut buffer = LineBuffer::new(LONGEST_LINE);
    let mut bytes = [0; 8 * 1024];
    while let Ok(length @ 1..) = output.read(&mut bytes).await {
        for line in buffer.feed(&bytes[..length]) {
            voice.relay(&line).await;
        }
    }
    if let Some(line) = buffer.finish() {
        voice.relay(&line).await;
    }
}

async fn finish(mut showing: JoinHandle<()>) {
    if timeout(LAST_LINES, &mut showing).await.is_err() {
        showing.abort();
    }
}
