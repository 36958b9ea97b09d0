//! A script on a thread of its own, and the two queues to it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use protocol::{GroupName, NodeName};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use topology::Limits;
use tracing::{error, warn};

use crate::{
    Event, Inbox, Outbox, Peers, SceneError, ScriptHandle, ScriptStatus,
    database::ScriptDatabases,
    observe::activity::Activity,
    observe::watchdog::{Target, Watchdog, stack_pipe},
    python::interpreter::Claim,
    python::thread::{ScriptThread, Started},
    python::venv::Venv,
    script::host::Shared,
    times::Times,
    watch::Watch,
};

/// A script, and what it may take.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The scene's name in the group.
    pub name: NodeName,
    /// The group, if it is to be in one.
    pub group: Option<GroupName>,
    /// The script. It is imported under its file's name, and its folder is one
    /// to import from.
    pub script: PathBuf,
    /// More folders to import from.
    pub python_path: Vec<PathBuf>,
    /// The virtual environment whose packages it imports.
    pub venv: Option<PathBuf>,
    /// Whether the script, and its modules, are loaded again by themselves when
    /// their files are changed.
    pub watch: bool,
    /// The folder in which the scene has one of its name, for what outlives it;
    /// without one nothing does.
    pub state_dir: Option<PathBuf>,
    /// Bounds of queues and times.
    pub limits: Limits,
}

/// A scene without a group: the interpreter, the script, and the queues that
/// [`Scene`](crate::Scene) ties to the network.
#[derive(Debug)]
pub struct ScriptHost {
    shared: Shared,
    ended: oneshot::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
    watchdog: JoinHandle<()>,
    /// Looks at the script's files, while it is to.
    watch: Mutex<Option<JoinHandle<()>>>,
    file_name: Arc<str>,
}

/// As much as the main thread of a Python process usually has, and then some:
/// C code called by scripts counts on it.
const STACK_BYTES: usize = 16 << 20;

impl ScriptHost {
    /// Starts the interpreter and loads the script. Returns when that has been
    /// tried: a script that does not load is no error here, but in the status.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SceneError`]; a second host in one process is one.
    pub async fn start(config: HostConfig) -> Result<Self, SceneError> {
        let venv = config.venv.as_deref().map(Venv::open).transpose()?;
        let claim = Claim::take()?;
        let (stacks, stack_writer) = stack_pipe()?;
        let folder = std::path::absolute(&config.script)?;
        let folder = folder.parent().map(Path::to_owned).unwrap_or_default();
        let shared = Shared {
            inbox: Arc::new(Inbox::new()?),
            outbox: Arc::new(Outbox::new(config.limits.link_outbox_bytes)),
            activity: Arc::new(Activity::default()),
            sessions: Arc::new(AtomicU64::new(0)),
            status: watch::Sender::new(ScriptStatus::default()),
            peers: Arc::default(),
            databases: Arc::new(ScriptDatabases::new(folder)),
            own_files: watch::Sender::default(),
            times: Arc::new(Times::new(&config.limits)),
            runtime: Handle::current(),
        };
        let target = Arc::new(Target::default());
        let watchdog = Watchdog {
            inbox: shared.inbox.clone(),
            activity: shared.activity.clone(),
            target: target.clone(),
            times: shared.times.clone(),
            stacks,
        };
        let watches = config.watch;
        let file_name = config.script.file_name().unwrap_or_default();
        let file_name = file_name.to_string_lossy().into();
        let (started_tx, started_rx) = oneshot::channel();
        let (ended_tx, ended_rx) = oneshot::channel();
        let script = ScriptThread {
            shared: shared.clone(),
            config,
            venv,
            target,
            stack_writer,
        };
        let thread = thread::Builder::new()
            .name("python".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                script.run(claim, started_tx);
                let _ = ended_tx.send(());
            })?;
        let Started { loaded } = started_rx
            .await
            .unwrap_or_else(|_| Err(SceneError::Python("its thread has ended".to_owned())))?;
        let watchdog = tokio::spawn(watchdog.run());
        // A thread that ends instead says so when the host is stopped.
        let _ = loaded.await;
        let host = ScriptHost {
            shared,
            ended: ended_rx,
            thread: Some(thread),
            watchdog,
            watch: Mutex::default(),
            file_name,
        };
        host.set_watch(watches);
        Ok(host)
    }

    /// Whether what is changed is loaded by itself from now on.
    pub fn set_watch(&self, watches: bool) {
        let mut watch = self.lock_watch();
        match (&*watch, watches) {
            (None, true) => {
                let files = Watch {
                    inbox: self.shared.inbox.clone(),
                    files: self.shared.own_files.subscribe(),
                    status: self.shared.status.subscribe(),
                };
                *watch = Some(tokio::spawn(files.run()));
            }
            (Some(running), false) => {
                running.abort();
                *watch = None;
            }
            (Some(_), true) | (None, false) => {}
        }
    }

    /// How long things may take from now on; what has begun keeps its time.
    pub fn set_limits(&self, limits: &Limits) {
        self.shared.times.set(limits);
    }

    fn lock_watch(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where events go.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.shared.inbox
    }

    /// Where actions come from.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.shared.outbox
    }

    /// Who is in the group, as the script is told; to be kept up by whoever knows.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.shared.peers
    }

    /// How the script is doing.
    pub fn status(&self) -> watch::Receiver<ScriptStatus> {
        self.shared.status.subscribe()
    }

    /// How many sessions are here.
    pub fn sessions(&self) -> u64 {
        self.shared.sessions.load(Ordering::Relaxed)
    }

    /// What [`sessions`](ScriptHost::sessions) returns, for others to read.
    pub(crate) fn session_count(&self) -> Arc<AtomicU64> {
        self.shared.sessions.clone()
    }

    /// What others may ask of the script.
    pub fn handle(&self) -> ScriptHandle {
        ScriptHandle {
            inbox: self.shared.inbox.clone(),
            status: self.status(),
            activity: self.shared.activity.clone(),
            file_name: self.file_name.clone(),
            limit: ScriptHandle::LIMIT,
        }
    }

    /// Ends the script: its sessions are handed over to be held for the scene's
    /// return, its tasks are cancelled, and the interpreter is finalized, all
    /// within `grace`. Returns whether it was; what was not ends with the process.
    pub async fn stop(self, grace: Duration) -> bool {
        self.hand_over(grace, None).await
    }

    /// [Ends](ScriptHost::stop) the script, with another scene to take the
    /// sessions, if one is named.
    pub async fn hand_over(mut self, grace: Duration, to_scene: Option<NodeName>) -> bool {
        let started = Instant::now();
        let stop = Event::Stop { grace, to_scene };
        if self.shared.inbox.push(stop).is_err() {
            warn!("scene is stopped twice");
        }
        let has_ended = timeout(grace, &mut self.ended).await.is_ok();
        if has_ended {
            // Of a thread that has said its last word the libraries that scripts load still
            // put something away, which the end of the process must not meet.
            let _ = self.thread.take().map(thread::JoinHandle::join);
        } else {
            let handler = self.shared.activity.current();
            error!(
                handler = handler.as_deref().unwrap_or("a task"),
                seconds = started.elapsed().as_secs_f32(),
                "script does not end, and is left behind"
            );
            self.shared.inbox.end();
            self.shared.outbox.close();
        }
        has_ended
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        self.watchdog.abort();
        if let Some(watch) = &*self.lock_watch() {
            watch.abort();
        }
    }
}
