//! The group, or the bridges of a machine: starts its roles one after the other,
//! watches over them, and takes them down in reverse.

use std::time::Duration;

use daemon::{Exit, Shutdown};
use protocol::v1::Role;
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, Progress},
    keeper::{Keeper, Kept, Kill},
    output::{Output, Voice},
    plan::{RolePlan, UpPlan},
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
    /// Who is in it.
    pub(super) plan: UpPlan,
    /// Whether roles that die are started again.
    pub(super) restart: bool,
    /// How often to say that a role is not ready yet.
    pub(super) patience: Duration,
    /// When to take the group down.
    pub(super) shutdown: Shutdown,
    /// Where to write.
    pub(super) output: Output,
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
    pub(super) async fn run(self) -> Exit {
        let voice = self.output.own_voice();
        let board = Board::new();
        let mut kept = Vec::new();
        let exit = match self.start(&board, &voice, &mut kept).await {
            Start::Failed => Exit::Failure,
            Start::Unwanted => Exit::Ok,
            Start::Up => {
                voice.say(&self.plan.up_line()).await;
                daemon::ready();
                self.watch(&board, &voice).await
            }
        };
        daemon::stopping();
        let forced = self.take_down(&mut kept, &voice).await;
        if forced { Exit::Failure } else { exit }
    }

    /// Starts each role when the former is ready.
    async fn start(&self, board: &Board, voice: &Voice, kept: &mut Vec<(Role, Kept)>) -> Start {
        for (index, role) in self.plan.roles.iter().enumerate() {
            kept.push((role.role, self.keeper(index, role, board, voice).spawn()));
            let progress = tokio::select! {
                () = self.shutdown.requested() => return Start::Unwanted,
                progress = self.wait_for(role, board, voice) => progress,
            };
            if let Progress::Failed(name) = progress {
                let title = &self.plan.title;
                voice
                    .shout(&format!("{title} does not come up: {name} has ended"))
                    .await;
                return Start::Failed;
            }
        }
        Start::Up
    }

    fn keeper(&self, index: usize, role: &RolePlan, board: &Board, voice: &Voice) -> Keeper {
        Keeper {
            name: role.name.clone(),
            launch: role.launch.clone(),
            restart: self.restart,
            stop_within: self.plan.stop_within,
            board: board.clone(),
            child_voice: self.output.voice(role.name.as_str(), index),
            voice: voice.clone(),
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
    async fn watch(&self, board: &Board, voice: &Voice) -> Exit {
        tokio::select! {
            () = self.shutdown.requested() => Exit::Ok,
            () = board.wait_for_end() => {
                voice.shout(&format!("nothing is left of {}", self.plan.title)).await;
                Exit::Failure
            }
        }
    }

    /// Takes down gates, then scenes, slaves, and the master. Says whether a second
    /// signal ended that.
    async fn take_down(&self, kept: &mut [(Role, Kept)], voice: &Voice) -> bool {
        let kills: Vec<Kill> = kept.iter().map(|(_, kept)| kept.kill()).collect();
        let stopped = CancellationToken::new();
        let ask = async {
            for stage in DOWN {
                let members = kept.iter_mut().filter(|(role, _)| *role == stage);
                let mut members: Vec<_> = members.map(|(_, member)| member).collect();
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
        voice.say(&format!("{} is down", self.plan.title)).await;
        forced
    }
}
