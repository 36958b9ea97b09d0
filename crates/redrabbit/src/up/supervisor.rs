//! The group, or the bridges of a machine: starts its roles one after the other,
//! watches over them, and takes them down in reverse.

use std::{sync::Arc, time::Duration};

use daemon::{Exit, Shutdown};
use protocol::{NodeName, v1::Role};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, Progress},
    keeper::{Keeper, Kept, Kill},
    output::{Output, Voice},
    plan::RolePlan,
    source::{Reading, Source},
};

/// The roles in the order in which they go down: whoever uses another goes
/// first.
const DOWN: [Role; 5] = [
    Role::Bridge,
    Role::Gate,
    Role::Scene,
    Role::Slave,
    Role::Master,
];

/// Runs a group of child processes.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// Where it is said who is in it.
    pub(super) source: Source,
    /// What is said there.
    pub(super) reading: Reading,
    /// Told when that is to be read again.
    pub(super) reload: Arc<Notify>,
    /// Whether roles that die are started again.
    pub(super) restart: bool,
    /// How often to say that a role is not ready yet.
    pub(super) patience: Duration,
    /// When to take the group down.
    pub(super) shutdown: Shutdown,
    /// Where to write.
    pub(super) output: Output,
}

/// A role that has been started.
struct Member {
    name: NodeName,
    role: Role,
    /// Which colour it has.
    index: usize,
    kept: Kept,
}

/// How far the group came.
enum Start {
    Up,
    Failed,
    Unwanted,
}

impl Supervisor {
    /// Runs the group until it is to go, or until nothing is left of it.
    ///
    /// To be run on a thread that lives as long as the program: the system
    /// kills the children when it ends. A runtime of the current thread alone
    /// does that.
    pub(super) async fn run(mut self) -> Exit {
        let voice = self.output.own_voice();
        let board = Board::new();
        let mut kept = Vec::new();
        let exit = match self.start(&board, &voice, &mut kept).await {
            Start::Failed => Exit::Failure,
            Start::Unwanted => Exit::Ok,
            Start::Up => {
                voice.say(&self.reading.plan.up_line()).await;
                daemon::ready();
                self.watch(&board, &voice, &mut kept).await
            }
        };
        daemon::stopping();
        let forced = self.take_down(&mut kept, &voice).await;
        if forced { Exit::Failure } else { exit }
    }

    /// Starts each role when the former is ready.
    async fn start(&self, board: &Board, voice: &Voice, kept: &mut Vec<Member>) -> Start {
        for (index, role) in self.reading.plan.roles.iter().enumerate() {
            kept.push(self.member(index, role, board, voice));
            let progress = tokio::select! {
                () = self.shutdown.requested() => return Start::Unwanted,
                progress = self.wait_for(role, board, voice) => progress,
            };
            if let Progress::Failed(name) = progress {
                let title = &self.reading.plan.title;
                voice
                    .shout(&format!("{title} does not come up: {name} has ended"))
                    .await;
                return Start::Failed;
            }
        }
        Start::Up
    }

    fn member(&self, index: usize, role: &RolePlan, board: &Board, voice: &Voice) -> Member {
        let keeper = Keeper {
            name: role.name.clone(),
            launch: role.launch.clone(),
            restart: self.restart,
            stop_within: self.reading.plan.stop_within,
            board: board.clone(),
            child_voice: self.output.voice(role.name.as_str(), index),
            voice: voice.clone(),
        };
        Member {
            name: role.name.clone(),
            role: role.role,
            index,
            kept: keeper.spawn(),
        }
    }

    /// Waits until the role is ready, however long it takes, and says so now
    /// and then.
    async fn wait_for(&self, role: &RolePlan, board: &Board, voice: &Voice) -> Progress {
        let mut waited = Duration::ZERO;
        loop {
            let waiting = board.wait_for_start(&role.name);
            if let Ok(progress) = tokio::time::timeout(self.patience, waiting).await {
                return progress;
            }
            waited += self.patience;
            let seconds = waited.as_secs_f64();
            let name = &role.name;
            voice
                .shout(&format!(
                    "{name} is not ready after {seconds} s; still waiting"
                ))
                .await;
        }
    }

    /// Watches over a group that is up.
    async fn watch(&mut self, board: &Board, voice: &Voice, kept: &mut Vec<Member>) -> Exit {
        let (shutdown, reload) = (self.shutdown.clone(), Arc::clone(&self.reload));
        loop {
            tokio::select! {
                () = shutdown.requested() => return Exit::Ok,
                () = board.wait_for_end() => {
                    let title = &self.reading.plan.title;
                    voice.shout(&format!("nothing is left of {title}")).await;
                    return Exit::Failure;
                }
                () = reload.notified() => {}
            }
            self.read_again(board, voice, kept).await;
        }
    }

    /// Goes by what the topology says now.
    async fn read_again(&mut self, board: &Board, voice: &Voice, kept: &mut Vec<Member>) {
        let reading = match self.source.read() {
            Ok(reading) => reading,
            Err(error) => {
                voice
                    .shout(&format!(
                        "the topology is refused, everything stays: {error}"
                    ))
                    .await;
                return;
            }
        };
        let Some(changes) = self.reading.changes(&reading) else {
            let words = "the topology is of the other sort now, everything stays";
            return voice.shout(words).await;
        };
        // Those of an earlier change that still wait for a restart are not named again:
        // their own logs do.
        let restarts = changes.restarts();
        self.reading = reading;
        let roles = self.reading.plan.roles.clone();
        let stays = |name: &NodeName| roles.iter().any(|role| role.name == *name);
        let (stay, mut gone): (Vec<Member>, Vec<Member>) =
            kept.drain(..).partition(|member| stays(&member.name));
        *kept = stay;
        for member in kept
            .iter()
            .filter(|member| !restarts.contains(&member.name))
        {
            member.kept.read_again();
        }
        for member in &mut gone {
            member.kept.stop();
            member.kept.ended().await;
            board.forget(&member.name);
        }
        for role in &roles {
            let there = kept.iter().position(|member| member.name == role.name);
            let index = match there {
                None => kept
                    .iter()
                    .map(|member| member.index + 1)
                    .max()
                    .unwrap_or(0),
                Some(at) if restarts.contains(&role.name) => {
                    if !self.restart {
                        let name = &role.name;
                        let words = "has to be started again for what has changed; up \
                                     does so with --restart";
                        voice.shout(&format!("{name} {words}")).await;
                        kept[at].kept.read_again();
                        continue;
                    }
                    let mut member = kept.remove(at);
                    member.kept.stop();
                    member.kept.ended().await;
                    member.index
                }
                Some(_) => continue,
            };
            kept.push(self.member(index, role, board, voice));
            tokio::select! {
                // What has begun to start is taken down with the others.
                () = self.shutdown.requested() => return,
                _ready = board.wait_for_one(&role.name) => {}
            }
        }
        voice.say("the topology is read again").await;
    }

    /// Takes down gates, then scenes, slaves, and the master. Says whether a second
    /// signal ended that.
    async fn take_down(&self, kept: &mut [Member], voice: &Voice) -> bool {
        let kills: Vec<Kill> = kept.iter().map(|member| member.kept.kill()).collect();
        let stopped = CancellationToken::new();
        let ask = async {
            for stage in DOWN {
                let members = kept.iter_mut().filter(|member| member.role == stage);
                let mut members: Vec<_> = members.map(|member| &mut member.kept).collect();
                members.iter().for_each(|member| member.stop());
                for member in &mut members {
                    member.ended().await;
                }
            }
            stopped.cancel();
        };
        let insist = async {
            tokio::select! {
                () = self.shutdown.forced() => {
                    kills.iter().for_each(Kill::now);
                    voice.shout("told to stop at once: what is left is killed").await;
                    true
                }
                () = stopped.cancelled() => false,
            }
        };
        let ((), forced) = tokio::join!(ask, insist);
        voice
            .say(&format!("{} is down", self.reading.plan.title))
            .await;
        forced
    }
}
