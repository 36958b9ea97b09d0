//! A script host without a network: tests say what arrives, and see what the
//! script asks for.

use std::{
    env,
    fmt::Debug,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ffrpc::{NodeEvent, NodeRecord};
use protocol::{
    CallError, Login, NodeId,
    v1::{NodeState, Role},
};
use scene_host::{
    Action, Answer, Audience, Call, Callee, Enter, Event, HostConfig, Leave, Outbox, Parcel,
    Request, ScriptHost, Verdict, Verify,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};
use topology::Limits;
use tracing_subscriber::fmt::MakeWriter;

pub(crate) const GATE: NodeId = NodeId::new(1, 100);
pub(crate) const OTHER_GATE: NodeId = NodeId::new(1, 101);

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a process of its own: there is one interpreter in each.
/// nextest does that by itself; under `cargo test` the test starts itself anew.
pub(crate) fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    const MARK: &str = "SCENE_TEST_IS_ALONE";
    if env::var_os("NEXTEST").is_none() && env::var_os(MARK).is_none() {
        let name = thread::current()
            .name()
            .expect("a test has a name")
            .to_owned();
        let status = Command::new(env::current_exe().unwrap())
            .args([&name, "--exact", "--nocapture"])
            .env(MARK, "1")
            .status()
            .unwrap();
        assert!(status.success(), "{name} failed in its own process");
        return;
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test());
}

/// Limits as by default, but with times for tests.
pub(crate) fn limits() -> Limits {
    Limits {
        frame_bytes: 64 << 10,
        verify_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        send_queue_bytes: 256 << 10,
        send_queue_frames: 1024,
        frames_per_second: 200,
        frame_burst: 400,
        rate_patience: Duration::from_secs(30),
        resume_time: Duration::from_secs(30),
        resume_bytes: 64 * 1024,
        compress_bytes: 1024,
        sessions_per_gate: 50_000,
        unverified_per_gate: 2_048,
        connections_per_address: 256,
        session_window: 16,
        scene_window_bytes: 16 << 20,
        link_outbox_bytes: 64 << 20,
        pair_bytes: 4 << 20,
        call_timeout: Duration::from_secs(5),
        handler_timeout: Duration::from_secs(30),
        handler_warn: Duration::from_secs(5),
        scene_hold: Duration::from_secs(30),
        lease: Duration::from_secs(3),
        drain_grace: Duration::from_secs(10),
    }
}

/// What becomes of a call that leaves the scene.
pub(crate) type Network = fn(&Call) -> Result<Bytes, CallError>;

/// A script host, and what it has asked for.
pub(crate) struct Stage {
    pub(crate) host: ScriptHost,
    folder: TempDir,
    script: PathBuf,
    actions: Vec<Action>,
    /// What becomes of the script's calls; they are kept where this is none.
    pub(crate) network: Option<Network>,
}

impl Stage {
    /// Runs `source` as `main.py` in a folder of its own.
    pub(crate) async fn start(source: &str) -> Self {
        Self::start_with(source, limits()).await
    }

    pub(crate) async fn start_with(source: &str, limits: Limits) -> Self {
        Self::start_as(source, |config| config.limits = limits).await
    }

    /// With a configuration that differs from the usual one.
    pub(crate) async fn start_as(source: &str, change: impl FnOnce(&mut HostConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join("main.py");
        fs::write(&script, unindent(source)).unwrap();
        Self::run(folder, script, change).await
    }

    /// Runs a file where it is.
    pub(crate) async fn start_file(script: &Path) -> Self {
        Self::run(TempDir::new().unwrap(), script.to_owned(), |_| ()).await
    }

    async fn run(folder: TempDir, script: PathBuf, change: impl FnOnce(&mut HostConfig)) -> Self {
        capture_log();
        let mut config = HostConfig {
            name: "scene@0".parse().unwrap(),
            group: Some("GroupA".parse().unwrap()),
            script: script.clone(),
            python_path: Vec::new(),
            venv: None,
            watch: false,
            state_dir: Some(folder.path().join("state")),
            limits: limits(),
        };
        change(&mut config);
        let host = timeout(PATIENCE, ScriptHost::start(config)).await;
        Stage {
            host: host.expect("the script loads in time").unwrap(),
            folder,
            script,
            actions: Vec::new(),
            network: None,
        }
    }

    /// The folder of the script, and of the scene's state.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the script's source, at once for whoever reads it.
    pub(crate) fn write(&self, source: &str) {
        let aside = self.folder.path().join("main.py.new");
        fs::write(&aside, unindent(source)).unwrap();
        fs::rename(aside, &self.script).unwrap();
    }

    /// Writes another file beside the script.
    pub(crate) fn write_file(&self, name: &str, source: &str) {
        fs::write(self.folder.path().join(name), unindent(source)).unwrap();
    }

    /// The outcome of a reload, in its words.
    pub(crate) async fn reload(&self) -> String {
        timeout(PATIENCE, self.host.handle().reload(None))
            .await
            .unwrap()
            .text
    }

    /// Hands the script an event.
    pub(crate) fn push(&self, event: Event) {
        self.host.inbox().push(event).unwrap();
    }

    pub(crate) async fn verify(&self, session_key: &str) -> Verdict {
        self.try_verify(session_key).await.unwrap()
    }

    /// None if the scene does not say.
    pub(crate) async fn try_verify(&self, session_key: &str) -> Option<Verdict> {
        self.begin_verify(session_key).await
    }

    /// Asks at once, and waits for what comes of it when it is awaited.
    pub(crate) fn begin_verify(
        &self,
        session_key: &str,
    ) -> impl Future<Output = Option<Verdict>> + use<> {
        let (verdict_tx, verdict_rx) = oneshot::channel();
        let _refused = self.host.inbox().push(Event::Verify(Box::new(Verify {
            session_key: session_key.to_owned(),
            online_time: 1_700_000_000,
            ip: "192.0.2.1".to_owned(),
            gate_name: "gate@0".to_owned(),
            deadline: Instant::now() + PATIENCE,
            verdict: verdict_tx,
        })));
        async { timeout(PATIENCE, verdict_rx).await.unwrap().ok() }
    }

    /// Waits until these and no other logins are to change their scene.
    pub(crate) async fn changes(&mut self, expected: &[(u64, String)]) {
        let changes = self
            .until(|actions| {
                let changes = changes(actions);
                (changes.len() >= expected.len()).then_some(changes)
            })
            .await;
        assert_eq!(changes, expected);
    }

    /// Waits until gates are told so often that somebody has left; returns who.
    pub(crate) async fn left(&mut self, count: usize) -> Vec<String> {
        self.until(|actions| {
            let left = left(actions);
            (left.len() >= count).then_some(left)
        })
        .await
    }

    pub(crate) fn enter(&self, session: &str, login: u64) {
        self.enter_from(GATE, session, login);
    }

    pub(crate) fn enter_from(&self, gate: NodeId, session: &str, login: u64) {
        self.push(Event::Enter(Box::new(Enter {
            gate,
            session: session.parse().unwrap(),
            login: Login(login),
            holding: 1,
            online_time: 1_700_000_000 + login,
            from_scene: String::new(),
            extra_data: Bytes::new(),
        })));
    }

    pub(crate) fn frame(&self, login: u64, cmd: u16, body: impl Into<Bytes>) {
        self.push(Event::Frame {
            gate: GATE,
            login: Login(login),
            cmd,
            body: body.into(),
        });
    }

    pub(crate) fn offline(&self, login: u64) {
        self.push(Event::Offline {
            gate: GATE,
            login: Login(login),
            holding: 1,
        });
    }

    /// The gate sends a session to another scene, as it was asked to.
    pub(crate) fn leave(&self, login: u64, to_scene: &str, extra_data: &'static str) {
        self.push(Event::Leave(Box::new(Leave {
            gate: GATE,
            login: Login(login),
            holding: 1,
            to_scene: to_scene.to_owned(),
            extra_data: extra_data.into(),
        })));
    }

    /// The directory shows a node.
    pub(crate) fn joins(&self, id: NodeId, name: &str, role: Role) {
        let record = NodeRecord {
            id,
            name: name.parse().unwrap(),
            role,
            state: NodeState::Ready,
            address: String::new(),
            methods: Vec::new(),
            load: 0,
            build: String::new(),
            script: None,
            groups: Vec::new(),
        };
        let peers = self.host.peers();
        peers.follow(&NodeEvent::Upserted(Arc::new(record)));
    }

    /// Takes what the script asks for until `done` is content with all of it.
    pub(crate) async fn until<T: Debug>(
        &mut self,
        mut done: impl FnMut(&[Action]) -> Option<T>,
    ) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = done(&self.actions) {
                return result;
            }
            self.take_more(give_up).await;
        }
    }

    /// Takes some more of what the script asks for; returns where that begins.
    async fn take_more(&mut self, give_up: Instant) -> usize {
        let known = self.actions.len();
        let left = give_up.saturating_duration_since(Instant::now());
        match timeout(left, self.host.outbox().take()).await {
            Ok(Some(actions)) => {
                actions.iter().for_each(|action| self.carry(action));
                self.actions.extend(actions);
            }
            Ok(None) => panic!("the host has ended; there were {:#?}", self.actions),
            Err(_) => panic!("waited in vain; there were {:#?}\n{}", self.actions, log()),
        }
        known
    }

    /// Waits for the answer of a call of the script, and carries what it calls meanwhile.
    pub(crate) async fn answer<T>(&mut self, mut answer: oneshot::Receiver<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer.unwrap(),
                _ = self.take_more(give_up) => {}
            }
        }
    }

    /// Does what a network would with a call.
    fn carry(&self, action: &Action) {
        let (Action::Call(call), Some(network)) = (action, self.network) else {
            return;
        };
        let inbox = self.host.inbox().clone();
        let (answer_tx, answer_rx) = oneshot::channel();
        if call.callee == Callee::Node("scene@0".parse().unwrap()) {
            self.push(Event::Request(Box::new(Request {
                cmd: call.cmd,
                body: call.body.clone(),
                deadline: Instant::now() + PATIENCE,
                source: NodeId::BROKER,
                origin: None,
                hops: call.hops,
                answer: answer_tx,
            })));
        } else {
            answer_tx.send(network(call)).unwrap();
        }
        let work = async { Answer::Called(answer_rx.await.unwrap()) };
        tokio::spawn(call.asked.clone().answer(inbox, work));
    }

    /// Waits until `count` frames are finished.
    pub(crate) async fn finished(&mut self, count: u32) {
        let give_up = Instant::now() + PATIENCE;
        let mut seen = finished(&self.actions);
        while seen < count {
            let known = self.take_more(give_up).await;
            seen += finished(&self.actions[known..]);
        }
        assert_eq!(seen, count, "more was finished than came");
    }

    /// Waits for `count` messages and returns all of them, as text.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<String> {
        self.until(|actions| {
            let messages = messages(actions);
            (messages.len() >= count).then_some(messages)
        })
        .await
    }

    /// What the script has asked for since this was last called.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Ends the host with nobody in it, and says whether it ended cleanly.
    pub(crate) async fn stop(self) -> bool {
        // It may have stopped already, if it was asked to and all have left.
        let _ = self.host.inbox().push(Event::GroupLost);
        self.host.stop(PATIENCE).await
    }
}

/// A virtual environment with libraries for messages, and messages.
pub(crate) fn venv() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.venv");
    assert!(
        folder.join("messages").is_dir(),
        "run ./tests/run unit once: it makes {}",
        folder.display()
    );
    folder.canonicalize().unwrap()
}

/// What a scene that has stopped has asked for last, but for the sign of its stop.
pub(crate) async fn last_actions(outbox: &Outbox) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(more) = outbox.take().await {
        actions.extend(more);
    }
    actions.retain(|action| *action != Action::GroupLost);
    actions
}

/// How many frames are reported as finished.
pub(crate) fn finished(actions: &[Action]) -> u32 {
    actions
        .iter()
        .map(|action| match action {
            Action::Finished(finished) => finished.frames.iter().sum(),
            _ => 0,
        })
        .sum()
}

/// Which logins are to change their scene, and to which one.
pub(crate) fn changes(actions: &[Action]) -> Vec<(u64, String)> {
    let changes = actions.iter().filter_map(|action| match action {
        Action::Change {
            login, to_scene, ..
        } => Some((login.0, to_scene.clone())),
        _ => None,
    });
    changes.collect()
}

/// Who has left, as `login holding offline` or `login holding left: extra data`.
pub(crate) fn left(actions: &[Action]) -> Vec<String> {
    let left = actions.iter().filter_map(|action| match action {
        Action::Left(left) if left.offline => {
            Some(format!("{} {} offline", left.login, left.holding))
        }
        Action::Left(left) => {
            let extra_data = String::from_utf8_lossy(&left.extra_data).into_owned();
            Some(format!(
                "{} {} left: {extra_data}",
                left.login, left.holding
            ))
        }
        _ => None,
    });
    left.collect()
}

/// Messages as `to whom/cmd: body`; `*` is everybody, `@` a gate, `#` a channel,
/// and `!` says that only the latest counts.
pub(crate) fn messages(actions: &[Action]) -> Vec<String> {
    let message = |to: String, parcel: &Parcel| {
        let latest = if parcel.latest { "!" } else { "" };
        let body = String::from_utf8_lossy(&parcel.body);
        Some(format!("{to}/{}{latest}: {body}", parcel.cmd))
    };
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { login, parcel, .. } => message(login.to_string(), parcel),
            Action::Deliver { logins, parcel, .. } => {
                let logins: Vec<String> = logins.iter().map(ToString::to_string).collect();
                message(logins.join("+"), parcel)
            }
            Action::Broadcast { audience, parcel } => {
                let to = match audience {
                    Audience::Group => "*".to_owned(),
                    Audience::Gate(gate) => format!("@{gate}"),
                    Audience::Channel(channel) => format!("#{channel}"),
                };
                message(to, parcel)
            }
            _ => None,
        })
        .collect()
}

/// Everything that was logged so far.
pub(crate) fn log() -> String {
    let log = LOG.get().map(|log| log.0.lock().unwrap().clone());
    String::from_utf8_lossy(&log.unwrap_or_default()).into_owned()
}

/// Waits until the log holds a text.
pub(crate) async fn logged(text: &str) {
    eventually(
        || log().contains(text),
        || format!("`{text}` was not logged:\n{}", log()),
    )
    .await;
}

/// Waits until something holds.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{}", otherwise());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

pub(crate) fn capture_log() {
    let log = LOG.get_or_init(Log::default).clone();
    // Another test of this process may have done so.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log)
        .with_max_level(tracing::Level::DEBUG)
        .try_init();
}

/// Takes away the indentation that all lines have in common.
pub(crate) fn unindent(source: &str) -> String {
    let lines = || source.lines().filter(|line| !line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let common = lines().map(indent).min().unwrap_or(0);
    let mut text = String::new();
    for line in source.lines() {
        text.push_str(line.get(common..).unwrap_or_default());
        text.push('\n');
    }
    text
}
