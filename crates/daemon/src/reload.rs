//! The topology read again in a process that runs: on SIGHUP, and with every mistake
//! in it the one before stays.

use std::{io, sync::Arc};

use protocol::NodeName;
use tokio::sync::watch;
use topology::{Changes, Effect};
use tracing::{error, info, warn};

use crate::{BootError, Booted, Hangup, Hangups, Readiness, Shutdown, log, systemd};

/// As many changes, or mistakes, are logged one by one.
const LINES: usize = 32;

/// Reads the file again whenever the process is told to, and tells the daemon's work
/// what it says then.
pub(crate) struct Reload<B: Booted> {
    boot: Arc<B>,
    readiness: Readiness,
    plan_tx: watch::Sender<Arc<B::Plan>>,
    shutdown: Shutdown,
    hangups: Hangups,
}

impl<B: Booted + Send + Sync + 'static> Reload<B> {
    /// Listens for SIGHUP from now on, for as long as the process lives.
    pub(crate) fn listen(
        boot: &Arc<B>,
        plan_tx: watch::Sender<Arc<B::Plan>>,
        readiness: &Readiness,
        shutdown: &Shutdown,
    ) -> io::Result<Reload<B>> {
        Ok(Reload {
            boot: Arc::clone(boot),
            plan_tx,
            readiness: readiness.clone(),
            shutdown: shutdown.clone(),
            hangups: Hangups::listen()?,
        })
    }

    pub(crate) async fn run(mut self) {
        while let Some(hangup) = self.hangups.next().await {
            if hangup == Hangup::TerminalGone {
                warn!("the terminal is gone: told to stop");
                self.shutdown.request();
                continue;
            }
            // Before that the service manager waits for another word.
            let told = self.readiness.is_ready();
            if told {
                systemd::reloading();
            }
            self.again().await;
            if told {
                systemd::ready();
            }
        }
    }

    async fn again(&self) {
        let boot = Arc::clone(&self.boot);
        // Files may be slow to read, and nobody is to wait for them meanwhile.
        let read = tokio::task::spawn_blocking(move || boot.read_again()).await;
        match read {
            Ok(Ok(plan)) => self.take(plan),
            Ok(Err(error)) => refuse(&error),
            Err(error) => error!(%error, "topology not read"),
        }
    }

    fn take(&self, plan: Arc<B::Plan>) {
        let name = self.boot.name();
        let since = B::changes(&self.plan_tx.borrow(), &plan);
        // What had to wait for a restart once still does, and what was taken back
        // does not.
        let waiting = B::changes(&self.boot.plan(), &plan);
        tell_live(name, &since);
        let late = tell_late(name, &waiting);
        let levels = &B::log(&plan).level;
        if levels != &B::log(&self.plan_tx.borrow()).level && !log::set_levels(levels) {
            warn!("log.level changes nothing: RUST_LOG says what is logged");
        }
        self.plan_tx.send_replace(plan);
        systemd::status(&match late {
            0 => "topology read again".to_owned(),
            late => format!("topology read again, {late} changes wait for a restart"),
        });
    }
}

/// Says what has taken effect.
fn tell_live(name: &NodeName, changes: &Changes) {
    let live = changes.keys.iter();
    let live = live.filter(|change| change.effect == Effect::Live && change.concerns(name));
    let mut count = 0;
    for change in live {
        count += 1;
        if count <= LINES {
            let (from, to) = (shown(&change.old), shown(&change.new));
            info!(key = change.path, from, to, "changed");
        }
    }
    let names = |nodes: &std::collections::BTreeSet<NodeName>| {
        let nodes = nodes.iter().take(LINES).map(NodeName::as_str);
        nodes.collect::<Vec<_>>().join(", ")
    };
    if !changes.added.is_empty() || !changes.removed.is_empty() {
        let (added, removed) = (names(&changes.added), names(&changes.removed));
        info!(added, removed, "nodes of the topology changed");
    }
    info!(changes = count, "topology read again");
}

/// Says what waits for the node to be started again, and how much that is.
fn tell_late(name: &NodeName, changes: &Changes) -> usize {
    let late = changes.keys.iter();
    let late = late.filter(|change| change.needs_restart_of(name));
    let keys: Vec<&str> = late.map(|change| change.path.as_str()).collect();
    if !keys.is_empty() {
        let shown = keys[..keys.len().min(LINES)].join(", ");
        warn!(
            keys = shown,
            "changes wait until this node is started again"
        );
    }
    keys.len()
}

fn shown(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("nothing")
}

/// Says why everything stays as it was.
fn refuse(error: &BootError) {
    let summary = match error {
        BootError::Topology(error) => {
            for mistake in error.mistakes().iter().take(LINES) {
                error!(
                    at = %mistake.place,
                    key = mistake.key,
                    found = mistake.found,
                    expected = mistake.expected,
                    nearest = mistake.nearest,
                    "mistake in the topology"
                );
            }
            format!("{} mistakes", error.mistakes().len())
        }
        error => error.to_string(),
    };
    error!(
        reason = summary,
        "topology refused, the one before it stays"
    );
    systemd::status(&format!(
        "topology refused, the one before stays: {summary}"
    ));
}
