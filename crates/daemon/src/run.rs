//! The frame around a daemon: everything before and after its own work.

use std::{future::Future, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use protocol::v1::Role;
use tokio::{net::TcpListener, runtime, sync::watch};
use tracing::{error, info, warn};

use crate::{
    Args, BindError, Boot, BootError, Booted, BridgeBoot, Exit, HttpServer, OwnPages, Readiness,
    Shutdown, bind, boot, boot_bridge, build_version, http, init_tracing, log, raise_file_limit,
    reload::Reload, systemd,
};

/// What a daemon's own work is given. `B` is a [`Boot`] but for bridges, whose is a
/// [`BridgeBoot`].
#[derive(Debug)]
pub struct Daemon<B: Booted = Boot> {
    /// Which node it is, in which group or groups.
    pub boot: Arc<B>,
    /// What the file says now: it is read again on SIGHUP. What takes effect only in a
    /// process that is started is in there as well, and not to be taken from it.
    pub plan: watch::Receiver<Arc<B::Plan>>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Whether it takes work.
    pub readiness: Readiness,
    /// Pages of its own, where the topology has it serve any.
    pub pages: Option<OwnPages>,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Everything that was under way has finished.
    Clean,
    /// The grace period ended first; the rest was dropped.
    OutOfTime,
    /// A second signal ended it; the rest was dropped.
    Forced,
}

/// What a drain may take beyond the grace period, at whose end daemons begin
/// to close what is left; and what work may take beyond a second signal.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the runtime may take to end, once the work has.
const RUNTIME_GRACE: Duration = Duration::from_secs(1);

/// How long a scrape that is under way at the end may take.
const HTTP_GRACE: Duration = Duration::from_millis(200);

/// Runs a daemon from its command line to its exit code: topology, tracing,
/// limits, runtime, signals, watchdog, HTTP pages, and then `work`. A wrong
/// topology, or a name that is not in it, is explained on stderr before any
/// socket opens.
///
/// `work` builds the daemon, calls [`Daemon::ready`] when it takes work, waits
/// for [`Daemon::shutdown`], and drains within [`Daemon::drain`].
pub fn run<F>(args: &Args, role: Role, work: impl FnOnce(Daemon) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    run_from(args, boot(args, role), work)
}

/// As [`run`], for a bridge, whose topology is a file of its own.
pub fn run_bridge<F>(args: &Args, work: impl FnOnce(Daemon<BridgeBoot>) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    run_from(args, boot_bridge(args), work)
}

fn run_from<B, F>(
    args: &Args,
    boot: Result<B, BootError>,
    work: impl FnOnce(Daemon<B>) -> F,
) -> ExitCode
where
    B: Booted + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<()>>,
{
    let boot = match boot {
        Ok(boot) => boot,
        Err(error) => {
            eprintln!("{error}");
            return error.exit().into();
        }
    };
    let plan = boot.plan();
    let said = B::log(&plan);
    let format = log::format(args.log_format, said);
    init_tracing(format, &said.level, Some(boot.name()));
    match run_booted(boot, work) {
        Ok(()) => {
            info!("stopped");
            Exit::Ok.into()
        }
        Err(error) => {
            // With its sources, which the texts themselves do not repeat.
            error!(error = format!("{error:#}"), "failed");
            Exit::Failure.into()
        }
    }
}

fn run_booted<B, F>(boot: B, work: impl FnOnce(Daemon<B>) -> F) -> anyhow::Result<()>
where
    B: Booted + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<()>>,
{
    let boot = Arc::new(boot);
    let files = raise_file_limit().unwrap_or_else(|error| {
        warn!(%error, "limit of open files left as it was");
        0
    });
    info!(
        node = %boot.name(),
        group = %boot.groups(),
        build = build_version(),
        pid = std::process::id(),
        files,
        "starting"
    );
    let runtime = build_runtime(boot.workers())?;
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let watchdog = systemd::spawn_watchdog();
        let readiness = Readiness::starting();
        let (plan_tx, plan) = watch::channel(boot.plan());
        let reload = Reload::listen(&boot, plan_tx, &readiness, &shutdown)?;
        let reload = tokio::spawn(reload.run());
        let pages = serve_pages(&*boot, &readiness)?;
        let insisted = shutdown.clone();
        let work = work(Daemon {
            boot,
            plan,
            shutdown,
            readiness,
            pages: pages.as_ref().map(HttpServer::own_pages),
        });
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = last_words_after(&insisted) => {
                Err(anyhow::anyhow!("a second signal ended it before its work was done"))
            }
        };
        if let Some(pages) = pages {
            pages.stop(HTTP_GRACE).await;
        }
        reload.abort();
        if let Some(watchdog) = watchdog {
            watchdog.abort();
        }
        outcome
    });
    runtime.shutdown_timeout(RUNTIME_GRACE);
    outcome
}

impl<B: Booted> Daemon<B> {
    /// Listens where the topology says that this node's `field` is
    /// (`tcp`, `websocket`, `listen`).
    ///
    /// # Errors
    /// [`BindError`], whose message names the key to change.
    pub fn bind(&self, field: &str, address: SocketAddr) -> Result<TcpListener, BindError> {
        bind(address, &self.boot.site(field))
    }

    /// The daemon takes work from now on: says so in the log, on `/readyz`
    /// and to the service manager.
    pub fn ready(&self) {
        info!("ready");
        self.readiness.set_ready();
        systemd::ready();
    }

    /// Shows `take` what the file says, whenever it has been read again. It does not
    /// end.
    pub async fn follow(&self, mut take: impl FnMut(&B::Plan)) {
        let mut plan_rx = self.plan.clone();
        // What was read again before the work has begun is shown as well.
        while plan_rx.changed().await.is_ok() {
            let plan = Arc::clone(&plan_rx.borrow_and_update());
            take(&plan);
        }
        std::future::pending::<()>().await;
    }

    /// What the node has to finish its work when it is told to stop, by what the file
    /// says now.
    pub fn drain_grace(&self) -> Duration {
        B::drain_grace(&self.plan.borrow())
    }

    /// Lets `work` finish what is under way, for the topology's grace period
    /// and two seconds more, or until a second signal. Says on `/readyz`, to
    /// the service manager and in the log that the daemon drains, and how that
    /// ended.
    pub async fn drain(&self, work: impl Future<Output = ()>) -> Drain {
        let grace = self.drain_grace();
        self.readiness.set_over("draining");
        systemd::stopping();
        info!(grace_seconds = grace.as_secs_f64(), "draining");
        let drain = tokio::select! {
            () = work => Drain::Clean,
            () = self.shutdown.forced() => Drain::Forced,
            () = tokio::time::sleep(grace + LAST_WORDS) => Drain::OutOfTime,
        };
        match drain {
            Drain::Clean => info!("drained"),
            Drain::Forced => warn!("drain ended by a second signal"),
            Drain::OutOfTime => warn!("drain ran out of time"),
        }
        drain
    }
}

/// Waits until the work should have ended because of a second signal, whatever
/// it was at.
async fn last_words_after(shutdown: &Shutdown) {
    shutdown.forced().await;
    tokio::time::sleep(LAST_WORDS).await;
}

fn serve_pages(boot: &impl Booted, readiness: &Readiness) -> Result<Option<HttpServer>, BindError> {
    let Some(address) = boot.http() else {
        return Ok(None);
    };
    http::serve(address, &boot.site("http"), readiness.clone()).map(Some)
}

/// After so many tasks a worker looks at what its sockets have woken.
const GLOBAL_QUEUE: u32 = 8;

/// One worker is the default for every role: two that wake each other's tasks cost
/// more than they carry, from one client to a thousand.
fn build_runtime(workers: usize) -> io::Result<runtime::Runtime> {
    // What sockets wake comes by the global queue, and waits there behind the tasks
    // that wake each other: with 256 calls of 256 nodes under way, looking there more
    // often took a broker's p99 from 20 to 8 ms.
    runtime::Builder::new_multi_thread()
        .worker_threads(workers.max(1))
        .global_queue_interval(GLOBAL_QUEUE)
        .enable_all()
        .build()
}
