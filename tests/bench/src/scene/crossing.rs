//! A script's host without sockets: this process hands it full batches, and takes
//! what comes back.

use std::{
    fs, process,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::{Login, NodeId};
use scene_host::{Action, Enter, Event, HostConfig, ScriptHost};
use tokio::{runtime::Builder, time::timeout};
use topology::Topology;

use super::{
    group::{Load, SCRIPT},
    options::Plan,
};
use crate::{cpu, report::middle};

/// Sessions whose messages cross.
const SESSIONS: u64 = 1_000;
/// Messages that are handed over at once, and how many may be under way: so many
/// that the script's thread finds a full batch whenever it comes.
const BATCH: u32 = 1_024;
const UNDER_WAY: u32 = 4 * BATCH;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

const GATE: NodeId = NodeId::new(1, 100);
const NOTHING: u16 = 9;
const ALONE: u16 = 20;
const HOLD: u16 = 21;

/// A message that crosses, and what its handler does with it.
struct Kind {
    name: &'static str,
    cmd: u16,
    json: bool,
}

/// Those that have a handler which is called in a loop of Python's, too.
const KINDS: [Kind; 6] = [
    Kind::new("nothing", NOTHING, false),
    Kind::of(Load::Raw),
    Kind::of(Load::Json),
    Kind::of(Load::Async),
    Kind::of(Load::AsyncJson),
    Kind::of(Load::Waits),
];

struct Crossing {
    host: ScriptHost,
    next: u64,
}

impl Kind {
    const fn new(name: &'static str, cmd: u16, json: bool) -> Self {
        Kind { name, cmd, json }
    }

    const fn of(load: Load) -> Self {
        Kind::new(load.name(), load.cmd(), load.is_json())
    }

    fn body(&self, bytes: usize) -> Bytes {
        if self.json {
            format!("[\"{}\"]", "x".repeat(bytes - 4)).into()
        } else {
            vec![b'x'; bytes].into()
        }
    }
}

/// Measures every kind, and the longest pause of a script that holds much.
pub(super) fn run(plan: &Plan) -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measure(plan))
}

async fn measure(plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("bench.py");
    fs::write(&script, SCRIPT)?;
    let topology = folder.path().join("topology.toml");
    fs::write(
        &topology,
        "group = \"bench\"\n[master]\nlisten = \"127.0.0.1:1\"\n",
    )?;
    let host = ScriptHost::start(HostConfig {
        name: "scene@0".parse()?,
        group: None,
        script,
        python_path: Vec::new(),
        venv: None,
        watch: false,
        state_dir: None,
        limits: Topology::load(&topology, &[])?.limits,
    })
    .await?;
    let loaded = host.status().borrow().clone();
    ensure!(
        loaded.version > 0,
        "the script does not load: {:?}",
        loaded.last_error
    );
    let mut crossing = Crossing { host, next: 0 };
    crossing.enter()?;
    let times = if plan.many > 10_000 { "200000" } else { "1000" };
    let alone = crossing.ask(ALONE, times).await?;
    let alone: serde_json::Value = serde_json::from_slice(&alone)?;

    println!("| crossing | body | messages/s | Python thread's CPU µs | Python alone µs |");
    println!("|---|--:|--:|--:|--:|");
    for kind in &KINDS {
        let mut rounds = Vec::new();
        crossing.carry(kind, plan.body, plan.time.warm_up).await?;
        for _ in 0..plan.rounds {
            rounds.push(crossing.carry(kind, plan.body, plan.time.seconds).await?);
        }
        let of_python = alone.get(kind.cmd.to_string());
        let of_python = of_python.and_then(serde_json::Value::as_f64);
        println!(
            "| {} | {} | {:.0} | **{:.3}** | {} |",
            kind.name,
            plan.body,
            middle(&rounds, |round: &(f64, f64)| round.0),
            middle(&rounds, |round| round.1),
            of_python.map_or(String::new(), |taken| format!("{:.3}", taken / 1e3)),
        );
    }

    let longest = crossing.ask(HOLD, &plan.many.to_string()).await?;
    let [longest]: [f64; 1] = serde_json::from_slice(&longest)?;
    println!();
    println!("| objects held | garbage made | longest pause ms |");
    println!("|--:|--:|--:|");
    println!("| {0} | {1} | **{longest:.2}** |", plan.many, 4 * plan.many);
    crossing.host.inbox().push(Event::GroupLost)?;
    crossing.host.stop(PATIENCE).await;
    Ok(())
}

impl Crossing {
    fn enter(&self) -> Result<()> {
        for login in 1..=SESSIONS {
            self.host.inbox().push(Event::Enter(Box::new(Enter {
                gate: GATE,
                session: format!("player {login}").parse()?,
                login: Login(login),
                holding: 1,
                online_time: 0,
                from_scene: String::new(),
                extra_data: Bytes::new(),
            })))?;
        }
        Ok(())
    }

    /// Messages a second, and the CPU microseconds of the Python thread for each.
    async fn carry(&mut self, kind: &Kind, bytes: usize, time: Duration) -> Result<(f64, f64)> {
        let body = kind.body(bytes);
        let mut under_way = 0;
        let mut finished: u64 = 0;
        let before = cpu::of_threads_named(process::id(), "python")?;
        let begun = Instant::now();
        while begun.elapsed() < time || under_way > 0 {
            while under_way + BATCH <= UNDER_WAY && begun.elapsed() < time {
                for _ in 0..BATCH {
                    self.next += 1;
                    self.frame(kind.cmd, body.clone())?;
                }
                under_way += BATCH;
            }
            let done = count(&self.take().await?);
            under_way -= done;
            finished += u64::from(done);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let used = cpu::of_threads_named(process::id(), "python")?.saturating_sub(before);
        ensure!(finished > 0, "nothing crossed");
        let each = used.as_secs_f64() * 1e6 / finished as f64;
        Ok((finished as f64 / seconds, each))
    }

    /// Sends one message, and waits for its answer.
    async fn ask(&mut self, cmd: u16, body: &str) -> Result<Bytes> {
        self.next = 0;
        self.frame(cmd, Bytes::copy_from_slice(body.as_bytes()))?;
        let (mut answer, mut done) = (None, 0);
        while done == 0 || answer.is_none() {
            for action in self.take().await? {
                done += count(std::slice::from_ref(&action));
                if let Action::Send { parcel, .. } = action {
                    answer = Some(parcel.body);
                }
            }
        }
        answer.context("no answer")
    }

    fn frame(&self, cmd: u16, body: Bytes) -> Result<()> {
        let login = Login(self.next % SESSIONS + 1);
        let gate = GATE;
        Ok(self.host.inbox().push(Event::Frame {
            gate,
            login,
            cmd,
            body,
        })?)
    }

    async fn take(&self) -> Result<Vec<Action>> {
        match timeout(PATIENCE, self.host.outbox().take()).await {
            Ok(Some(actions)) => Ok(actions),
            Ok(None) => bail!("the script's host has ended"),
            Err(_) => bail!("the script does not answer"),
        }
    }
}

/// How many messages are finished.
fn count(actions: &[Action]) -> u32 {
    let finished = actions.iter().filter_map(|action| match action {
        Action::Finished(finished) => Some(finished.frames.iter().sum::<u32>()),
        _ => None,
    });
    finished.sum()
}
