//! The plan of a group: who runs where, and within which limits.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use vocabulary::{CertificateFiles, Exports, GroupName, NodeName};

use crate::{
    loader::Sources, log::Log, mistake::TopologyError, security::Security, values::Values,
};

/// One group, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The group's name.
    pub group: GroupName,
    /// The broker-master.
    pub master: Master,
    /// The broker-slaves by name.
    pub slaves: BTreeMap<NodeName, Slave>,
    /// The gates by name.
    pub gates: BTreeMap<NodeName, Gate>,
    /// The scenes by name.
    pub scenes: BTreeMap<NodeName, Scene>,
    /// What it lets other groups call.
    pub exports: Exports,
    /// What everybody keeps to.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Who may join, and whether others can read what is said.
    pub security: Security,
    /// The same by key.
    pub(crate) values: Values,
}

/// The broker-master.
#[derive(Clone, Debug, PartialEq)]
pub struct Master {
    /// Always `master@0`.
    pub name: NodeName,
    /// The machine that runs it, `localhost` for every machine.
    pub machine: String,
    /// Where nodes reach it.
    pub listen: SocketAddr,
    /// Where it serves metrics and health, if anywhere.
    pub http: Option<SocketAddr>,
    /// Threads that route messages, at least 1.
    pub workers: usize,
    /// Where it finds, and leaves, word of its latest run: absolute, and
    /// perhaps not there, nor the folder that it is in.
    pub epoch_file: PathBuf,
    /// Where it keeps what opens its console, in the same folder.
    pub console_token_file: PathBuf,
}

/// A broker-slave.
#[derive(Clone, Debug, PartialEq)]
pub struct Slave {
    /// The machine that runs it, `localhost` for every machine.
    pub machine: String,
    /// Where it listens for nodes.
    pub listen: SocketAddr,
    /// Where nodes reach it, a host and a port; `None` for where it listens,
    /// which is an address that can be dialled then.
    pub advertise: Option<String>,
    /// Where it serves metrics and health, if anywhere.
    pub http: Option<SocketAddr>,
    /// Threads that route messages, at least 1.
    pub workers: usize,
}

/// What a gate does with clients that a scene has let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMode {
    /// It holds them.
    Game,
    /// It sends each to one of those that hold them.
    Login,
}

/// A gate. At least one of `tcp` and `websocket` is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The machine that runs it, `localhost` for every machine.
    pub machine: String,
    /// What it does with clients that a scene has let in.
    pub mode: GateMode,
    /// Where clients connect by TCP.
    pub tcp: Option<SocketAddr>,
    /// Where clients connect by WebSocket.
    pub websocket: Option<SocketAddr>,
    /// What clients are told who are sent to it, to connect by TCP: a URL, `tcp://` or
    /// `tls://`; `None` where nobody could say.
    pub advertise_tcp: Option<String>,
    /// The same for WebSocket, `ws://` or `wss://`.
    pub advertise_websocket: Option<String>,
    /// What it shows clients, on every port where they connect, which then speaks TLS.
    pub certificate: Option<CertificateFiles>,
    /// The pages that browsers may come from by WebSocket; empty for any.
    pub origins: Vec<String>,
    /// Those whose connections begin with a PROXY header.
    pub proxies: Vec<IpNet>,
    /// Where it serves metrics and health, if anywhere.
    pub http: Option<SocketAddr>,
    /// Threads that serve its clients.
    pub workers: usize,
    /// The scene that verifies new clients; the topology declares it.
    pub verify: NodeName,
    /// The scene that verified clients enter, `None` for the one that verified
    /// them; the topology declares it.
    pub enter: Option<NodeName>,
}

/// A scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The machine that runs it, `localhost` for every machine.
    pub machine: String,
    /// The script that it runs: absolute, and perhaps not there.
    pub script: PathBuf,
    /// More folders to import from, absolute.
    pub python_path: Vec<PathBuf>,
    /// The virtual environment whose packages it imports, absolute.
    pub venv: Option<PathBuf>,
    /// Whether it loads its script again when a file of it is changed.
    pub watch: bool,
    /// The folder of the group's scenes in which this one has a folder of its
    /// name: absolute, and perhaps not there.
    pub state_dir: PathBuf,
    /// Where it serves metrics and health, if anywhere.
    pub http: Option<SocketAddr>,
    /// Threads beside that of Python, which carry its messages.
    pub workers: usize,
}

/// Bounds of queues, rates and times. What each means, and its default, is said
/// in [`keys`](crate::keys).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the reference of keys says it once for all")]
pub struct Limits {
    pub frame_bytes: usize,
    pub verify_timeout: Duration,
    pub idle_timeout: Duration,
    pub send_queue_bytes: usize,
    pub send_queue_frames: usize,
    pub frames_per_second: u32,
    pub frame_burst: u32,
    pub rate_patience: Duration,
    pub resume_time: Duration,
    pub resume_bytes: usize,
    pub compress_bytes: usize,
    pub sessions_per_gate: usize,
    pub unverified_per_gate: usize,
    pub connections_per_address: usize,
    pub session_window: u32,
    pub scene_window_bytes: usize,
    pub link_outbox_bytes: usize,
    pub pair_bytes: usize,
    pub call_timeout: Duration,
    pub handler_timeout: Duration,
    pub handler_warn: Duration,
    pub scene_hold: Duration,
    pub lease: Duration,
    pub drain_grace: Duration,
}

/// The machine of nodes that run on every machine.
const EVERY_MACHINE: &str = "localhost";

impl Topology {
    /// Loads `path`, the `REDRABBIT__*` environment over it, and the `--set
    /// key=value` arguments over both.
    ///
    /// Relative paths in the file are relative to its folder, those in the
    /// environment and in arguments to the current folder.
    ///
    /// # Errors
    /// All mistakes at once: the file is refused whole.
    pub fn load(path: &Path, set: &[String]) -> Result<Topology, TopologyError> {
        Sources::of_process(set).load_group(path)
    }

    /// The nodes of a machine in the order in which they start: master, slaves,
    /// scenes, gates. Nodes of `localhost` are on every machine.
    pub fn roles_on(&self, machine: &str) -> Vec<NodeName> {
        let master = std::iter::once((&self.master.name, &self.master.machine));
        let slaves = self
            .slaves
            .iter()
            .map(|(name, slave)| (name, &slave.machine));
        let scenes = self
            .scenes
            .iter()
            .map(|(name, scene)| (name, &scene.machine));
        let gates = self.gates.iter().map(|(name, gate)| (name, &gate.machine));
        master
            .chain(slaves)
            .chain(scenes)
            .chain(gates)
            .filter(|(_, place)| is_on(place, machine))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// This machine's name, as `hostname` prints it: what [`Topology::roles_on`]
/// takes.
pub fn this_machine() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Whether nodes of `place` run on `machine`.
pub(crate) fn is_on(place: &str, machine: &str) -> bool {
    place == EVERY_MACHINE || is_same(place, machine)
}

/// Whether nodes of these machines can meet on one.
pub(crate) fn may_meet(one: &str, other: &str) -> bool {
    one == EVERY_MACHINE || other == EVERY_MACHINE || is_same(one, other)
}

/// Names of machines are compared as the domain name system does.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
