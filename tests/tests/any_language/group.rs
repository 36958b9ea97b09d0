//! A group with a scene whose services are written in Python.

use std::{
    collections::HashMap,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::{
    NodeId, Secret,
    v1::{ListNodesRequest, NodeRecord, NodeState, Role, registry_client::RegistryClient},
};
use tempfile::TempDir;
use tests::{ARCADE, Process, Signal, eventually};

/// What the group's nodes have to know.
pub(crate) const SECRET: &str = "ouvre-toi";

/// A master, a scene and some slaves, and whatever a test adds. Everything ends
/// when this is dropped.
pub(crate) struct Group {
    pub(crate) address: Ipv4Addr,
    folder: TempDir,
    running: HashMap<String, Process>,
    starts: usize,
}

impl Group {
    /// Starts a group with so many slaves, and waits until all of it is ready.
    pub(crate) async fn start(slaves: usize) -> Group {
        let address = own_address();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.py"), ARCADE).unwrap();
        let mut topology = format!(
            r#"
group = "GroupA"

[master]
listen = "{address}:10241"
state_dir = {:?}

[scenes."scene@0"]
script = "main.py"

[security]
secret = "{SECRET}"

[limits]
lease = "1s"
"#,
            folder.path().join("state"),
        );
        for index in 0..slaves {
            let port = 10251 + index;
            write!(
                topology,
                "\n[slaves.\"slave@{index}\"]\nlisten = \"{address}:{port}\"\n"
            )
            .unwrap();
        }
        std::fs::write(folder.path().join("topology.toml"), topology).unwrap();
        generate(folder.path());
        let mut group = Group {
            address,
            folder,
            running: HashMap::new(),
            starts: 0,
        };
        group.run("master@0");
        for index in 0..slaves {
            group.run(&format!("slave@{index}"));
        }
        group.run("scene@0");
        group.is_ready(slaves + 2).await;
        group
    }

    /// Starts a node of the topology that is not running.
    pub(crate) fn run(&mut self, name: &str) {
        let program = match name.split_once('@').unwrap().0 {
            "master" => "broker-master",
            "slave" => "broker-slave",
            _ => "scene-host",
        };
        self.starts += 1;
        let log = self.file(&format!("{name}.{}.log", self.starts));
        let topology = self.file("topology.toml");
        let arguments = ["--topology", topology.to_str().unwrap(), "--name", name];
        let process = Process::start(program, &arguments, &log);
        self.running.insert(name.to_owned(), process);
    }

    /// Sends a node of the topology a signal that does not end it.
    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        self.running[name].signal(signal);
    }

    /// Ends a node of the topology.
    pub(crate) async fn end(&mut self, name: &str, signal: Signal) {
        let mut process = self.running.remove(name).unwrap();
        process.signal(signal);
        process.ended().await;
    }

    /// Waits until so many nodes are in the directory, all of them ready.
    pub(crate) async fn is_ready(&self, nodes: usize) {
        eventually("the group is ready", async || {
            let found = self.nodes().await?;
            let ready = found.iter().filter(|node| node.state() == NodeState::Ready);
            (ready.count() == nodes).then_some(())
        })
        .await;
    }

    /// The directory, if the master is there.
    pub(crate) async fn nodes(&self) -> Option<Vec<NodeRecord>> {
        let mut registry = RegistryClient::connect(format!("http://{}", self.master()))
            .await
            .ok()?;
        let secret = SECRET.to_owned();
        let list = registry
            .list_nodes(ListNodesRequest { secret })
            .await
            .ok()?;
        Some(list.into_inner().snapshot?.nodes)
    }

    pub(crate) fn master(&self) -> SocketAddr {
        (self.address, 10241).into()
    }

    /// A node of this process.
    pub(crate) async fn node(&self, name: &str, services: Services) -> Node {
        let config = NodeConfig {
            name: name.parse().unwrap(),
            role: Role::Service,
            uplink: Uplink::Remote(self.master()),
            secret: Secret::new(SECRET),
            ..NodeConfig::default()
        };
        let node = Node::join(config, services);
        node.ready().await;
        node
    }

    /// Runs a program of `tests/python`.
    pub(crate) fn python(&mut self, program: &str, arguments: &[&str]) -> Python {
        self.starts += 1;
        let log = self.file(&format!("{program}.{}.log", self.starts));
        let output = std::fs::File::create(&log).unwrap();
        let child = python()
            .arg(folder().join("python").join(program))
            .args(arguments)
            .env("PYTHONPATH", self.file("generated"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("REDRABBIT_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Python { child, log }
    }

    /// Starts a service in Python and waits until `node` can call it.
    pub(crate) async fn service(
        &mut self,
        program: &str,
        name: &str,
        node: &Node,
    ) -> (Python, NodeId) {
        let master = self.master().to_string();
        let mut service = self.python(program, &[&master, name]);
        let id = eventually(&format!("{name} is ready"), async || {
            assert!(
                service.child.try_wait().unwrap().is_none(),
                "{}",
                service.log()
            );
            node.resolve(&name.parse().unwrap())
        })
        .await;
        (service, id)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A process that runs Python. It is killed when this is dropped.
pub(crate) struct Python {
    child: Child,
    log: PathBuf,
}

impl Python {
    /// Ends it without a chance to say anything.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn ends(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        self.succeeds().await;
    }

    /// Waits for its end.
    pub(crate) async fn succeeds(&mut self) {
        let child = &mut self.child;
        let status = eventually("the program ends", async || child.try_wait().unwrap()).await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Makes Python modules of `proto/`, as `proto/README.md` says.
fn generate(target: &Path) {
    let generated = target.join("generated");
    std::fs::create_dir(&generated).unwrap();
    let proto = folder().parent().unwrap().join("proto");
    let output = python()
        .args(["-m", "grpc_tools.protoc"])
        .arg("--proto_path")
        .arg(&proto)
        .arg("--python_out")
        .arg(&generated)
        .arg("--grpc_python_out")
        .arg(&generated)
        .args(["registry", "link", "session"].map(|file| format!("redrabbit/v1/{file}.proto")))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run ./tests/run unit once: {said}");
}

fn python() -> Command {
    let python = folder().join(".venv/bin/python");
    assert!(
        python.exists(),
        "run ./tests/run unit once: it makes {}",
        python.display()
    );
    Command::new(python)
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A loopback address that no other test of this run has: every test is a
/// process of its own.
fn own_address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 128 | (high & 0x3f), middle, low)
}
