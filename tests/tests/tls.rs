//! A group whose every connection is encrypted, and who is kept out of it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ffrpc::{Encryption, Node, NodeConfig, Services, Uplink};
use protocol::tls::{Tls, TlsFiles};
use tempfile::TempDir;
use tests::{Process, Signal, eventually, own_address, within};

/// A master and a slave with TLS, and the authority of their group.
struct Encrypted {
    folder: TempDir,
    address: Ipv4Addr,
    processes: Vec<Process>,
}

impl Encrypted {
    async fn start() -> Encrypted {
        let folder = tempfile::tempdir().unwrap();
        let (at, address) = (folder.path(), own_address());
        authority(at, "authority");
        for name in ["master@0", "slave@0", "echo@0", "caller@0"] {
            certificate(at, "authority", name);
        }
        let mut topology = String::new();
        write!(
            topology,
            r#"
group = "GroupA"

[master]
listen = "{address}:10241"
state_dir = "state"

[slaves."slave@0"]
listen = "{address}:10251"

[limits]
lease = "1s"

[security]
authority = "authority.pem"
certificate = "{{name}}.pem"
key = "{{name}}.key"
"#
        )
        .unwrap();
        std::fs::write(at.join("topology.toml"), topology).unwrap();
        let mut group = Encrypted {
            folder,
            address,
            processes: Vec::new(),
        };
        group.run("broker-master", "master@0");
        group.run("broker-slave", "slave@0");
        group
    }

    fn run(&mut self, program: &str, name: &str) {
        let at = self.folder.path();
        let topology = at.join("topology.toml");
        let arguments = ["--topology", topology.to_str().unwrap(), "--name", name];
        let log = at.join(format!("{name}.log"));
        self.processes
            .push(Process::start(program, &arguments, &log));
    }

    fn files(&self, authority: &str, certificate: &str) -> TlsFiles {
        let file = |name: String| -> PathBuf { self.folder.path().join(name) };
        TlsFiles {
            authority: file(format!("{authority}.pem")),
            certificate: file(format!("{certificate}.pem")),
            key: file(format!("{certificate}.key")),
        }
    }

    /// A node of this name, with whatever files.
    fn node(&self, name: &str, files: Option<TlsFiles>) -> Node {
        let encryption = files.map(|files| Encryption {
            tls: Tls::load(files).unwrap(),
            group: "GroupA".parse().unwrap(),
        });
        let config = NodeConfig {
            name: name.parse().unwrap(),
            uplink: Uplink::Remote(SocketAddr::from((self.address, 10241))),
            encryption,
            ..NodeConfig::default()
        };
        let services = Services::new().serve("echo", async |request| Ok(request.body));
        Node::join(config, services)
    }

    /// Has both read the topology again.
    fn hang_up(&self) {
        for process in &self.processes {
            process.signal(Signal::HUP);
        }
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap()
    }

    async fn says(&self, name: &str, text: &str) {
        eventually(&format!("{name} logs {text:?}"), async || {
            self.log(name).contains(text).then_some(())
        })
        .await;
    }
}

fn openssl(at: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .current_dir(at)
        .args(["req", "-x509", "-newkey", "ec", "-noenc", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(arguments)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "{output:?}");
}

fn authority(at: &Path, name: &str) {
    let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
    openssl(at, &["-subj", "/CN=GroupA", "-keyout", &key, "-out", &pem]);
}

/// A certificate for a node, in files of the node's name; one of another
/// authority has that in front.
fn certificate(at: &Path, authority: &str, name: &str) {
    let (role, index) = name.split_once('@').unwrap();
    let names = format!("subjectAltName=DNS:{index}.{role}.GroupA");
    let file = match authority {
        "authority" => name.to_owned(),
        other => format!("{other}-{name}"),
    };
    let (pem, key) = (format!("{file}.pem"), format!("{file}.key"));
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let constraint = "basicConstraints=critical,CA:FALSE";
    openssl(
        at,
        &[
            "-subj", "/CN=node", "-addext", constraint, "-addext", &names, "-CA", &ca, "-CAkey",
            &ca_key, "-keyout", &key, "-out", &pem,
        ],
    );
}

#[tokio::test]
async fn nodes_with_the_groups_certificates_talk_through_slave_and_master() {
    let mut group = Encrypted::start().await;
    let echo = group.node("echo@0", Some(group.files("authority", "echo@0")));
    let caller = group.node("caller@0", Some(group.files("authority", "caller@0")));
    within("both join", async {
        echo.ready().await;
        caller.ready().await;
    })
    .await;
    let name = "slave@0".parse().unwrap();
    eventually("the slave is ready", async || caller.lookup(&name)).await;
    let name = "echo@0".parse().unwrap();
    let to = eventually("echo@0 is known", async || caller.resolve(&name)).await;
    for _ in 0..100 {
        let answer = within("a call", caller.call(to, "echo", "hello".into())).await;
        assert_eq!(answer.unwrap(), "hello");
    }
    // The slave goes, and the master carries on, both encrypted.
    drop(group.processes.remove(1));
    let answer = within("a call", caller.call(to, "echo", "again".into())).await;
    assert_eq!(answer.unwrap(), "again");
}

#[tokio::test]
async fn a_node_with_another_nodes_certificate_is_told_so() {
    let group = Encrypted::start().await;
    let thief = group.node("caller@0", Some(group.files("authority", "echo@0")));
    group.says("master@0", "its certificate is another's").await;
    assert!(group.log("master@0").contains("0.echo.GroupA"));
    assert_eq!(thief.id(), None);
}

#[tokio::test]
async fn strangers_are_kept_out_and_the_group_goes_on() {
    let group = Encrypted::start().await;
    authority(group.folder.path(), "foreign");
    certificate(group.folder.path(), "foreign", "caller@0");
    // It trusts our brokers and is signed by somebody else.
    let at = group.folder.path();
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let both = read("authority.pem") + &read("foreign.pem");
    std::fs::write(at.join("both.pem"), both).unwrap();
    let stranger = group.node("caller@0", Some(group.files("both", "foreign-caller@0")));
    group.says("master@0", "unknown_authority").await;
    let plain = group.node("plain@0", None);
    group.says("master@0", "plaintext").await;
    let echo = group.node("echo@0", Some(group.files("authority", "echo@0")));
    within("a node of the group joins", echo.ready()).await;
    assert_eq!((stranger.id(), plain.id()), (None, None));
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let group = Encrypted::start().await;
    let at = group.folder.path();
    let echo = group.node("echo@0", Some(group.files("authority", "echo@0")));
    within("a node joins", echo.ready()).await;
    // A new authority takes over, as its documentation says: both are trusted,
    // every node gets a new certificate, the old authority goes.
    authority(at, "next");
    certificate(at, "next", "caller@0");
    for name in ["master@0", "slave@0"] {
        certificate(at, "next", name);
    }
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let both = read("authority.pem") + &read("next.pem");
    replace(at, "authority.pem", &both);
    // What is read is looked at once a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for name in ["master@0", "slave@0"] {
        for end in ["key", "pem"] {
            let new = read(&format!("next-{name}.{end}"));
            replace(at, &format!("{name}.{end}"), &new);
        }
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // It trusts nobody but the new authority.
    let caller = group.node("caller@0", Some(group.files("next", "next-caller@0")));
    within("a node of the new authority joins", caller.ready()).await;
    let name = "echo@0".parse().unwrap();
    let to = eventually("echo@0 is known", async || caller.resolve(&name)).await;
    let answer = within("a call", caller.call(to, "echo", "new".into())).await;
    assert_eq!(answer.unwrap(), "new");
}

#[tokio::test]
async fn certificates_in_other_files_are_used_when_the_topology_says_so_and_links_stay() {
    let group = Encrypted::start().await;
    let at = group.folder.path();
    let echo = group.node("echo@0", Some(group.files("authority", "echo@0")));
    within("a node joins", echo.ready()).await;
    let id = echo.id();
    authority(at, "next");
    for name in ["master@0", "slave@0", "caller@0"] {
        certificate(at, "next", name);
    }
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    std::fs::write(
        at.join("both.pem"),
        read("authority.pem") + &read("next.pem"),
    )
    .unwrap();
    let topology = read("topology.toml");
    // A file that is not there: nothing changes, and it is said.
    let wrong = topology.replace("\"authority.pem", "\"nowhere.pem");
    std::fs::write(at.join("topology.toml"), wrong).unwrap();
    group.hang_up();
    group.says("master@0", "the one before it stays").await;
    let edited = topology
        .replace("\"authority.pem", "\"both.pem")
        .replace("\"{name}.", "\"next-{name}.");
    std::fs::write(at.join("topology.toml"), edited).unwrap();
    group.hang_up();
    for name in ["master@0", "slave@0"] {
        group.says(name, "key=\"security.certificate\"").await;
    }
    // It trusts nobody but the new authority.
    let caller = group.node("caller@0", Some(group.files("next", "next-caller@0")));
    within("a node of the new authority joins", caller.ready()).await;
    let name = "echo@0".parse().unwrap();
    let to = eventually("echo@0 is known", async || caller.resolve(&name)).await;
    let answer = within("a call", caller.call(to, "echo", "new".into())).await;
    assert_eq!(answer.unwrap(), "new");
    assert_eq!(echo.id(), id, "whoever was there stays");
    assert!(!group.log("master@0").contains("lost its stream"));
}

fn replace(at: &Path, name: &str, content: &str) {
    let new = at.join(format!("{name}.new"));
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, at.join(name)).unwrap();
}
