//! Networks of a test's own, in which links can really be cut.
//!
//! The test runs in a network namespace, and so does each machine that it wants
//! beside it, at the other end of a cable. All of it is gone with the processes
//! that live there: there is nothing to clean up.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{Process, eventually};

/// Set in a test that is in a network of its own already.
const MARK: &str = "REDRABBIT_OWN_NETWORK";

/// Whether the test `name` is in a network of its own. If it is not it runs
/// once more, there, and what comes of that is this test's end; where the
/// machine allows no such thing the reason is printed, and the test is passed
/// over.
pub fn in_own_network(name: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        run(&["ip", "link", "set", "lo", "up"]);
        return true;
    }
    for needed in [
        &["unshare", "--net", "true"][..],
        &["nft", "--version"],
        &["ip", "-V"],
    ] {
        match Command::new(needed[0]).args(&needed[1..]).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                println!("passed over: {needed:?} says {}", text(&output));
                return false;
            }
            Err(error) => {
                println!("passed over: {} cannot be run: {error}", needed[0]);
                return false;
            }
        }
    }
    let mut command = Command::new("unshare");
    command
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(MARK, "1");
    let output = crate::process::end_with_parent(&mut command)
        .output()
        .unwrap();
    let said = text(&output);
    println!("{said}");
    assert!(output.status.success(), "it failed in its own network");
    assert!(said.contains("1 passed"), "there is no test {name}");
    false
}

/// Whatever goes to this port of this machine, or comes from it, is lost from now
/// on, the end of a connection too: whoever has it has vanished. For tests in a
/// network of their own.
pub fn vanish(port: u16) {
    run(&["nft", "add table ip vanished"]);
    run(&[
        "nft",
        "add chain ip vanished output { type filter hook output priority 0; }",
    ]);
    for end in ["sport", "dport"] {
        let rule = format!("add rule ip vanished output tcp {end} {port} drop");
        run(&["nft", &rule]);
    }
}

/// A machine at the other end of a cable.
pub struct Network {
    holder: Process,
    _folder: TempDir,
}

impl Network {
    /// Lays a cable with an address, `a.b.c.d/e`, at this end and one at the
    /// machine's.
    pub async fn beside(here: &str, there: &str) -> Network {
        let folder = tempfile::tempdir().unwrap();
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let holder = Process::spawn(command, &folder.path().join("log"));
        let namespace = format!("/proc/{}/ns/net", holder.id());
        eventually("the other network is there", async || {
            (std::fs::read_link(&namespace).ok()? != own).then_some(())
        })
        .await;
        let network = Network {
            holder,
            _folder: folder,
        };
        let pid = network.holder.id().to_string();
        run(&[
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", &pid,
        ]);
        run(&["ip", "address", "add", here, "dev", "here"]);
        run(&["ip", "link", "set", "here", "up"]);
        network.run(&["ip", "address", "add", there, "dev", "there"]);
        network.run(&["ip", "link", "set", "there", "up"]);
        network.run(&["ip", "link", "set", "lo", "up"]);
        // Both directions of the cable, with nothing in the way.
        run(&["nft", "add table ip cable"]);
        for chain in ["input", "output"] {
            run(&[
                "nft",
                &format!("add chain ip cable {chain} {{ type filter hook {chain} priority 0; }}"),
            ]);
        }
        network
    }

    /// The command that starts commands there.
    pub fn prefix(&self) -> Vec<String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.holder.id());
        vec!["nsenter".to_owned(), namespace]
    }

    /// Whatever comes from there to this port is lost from now on.
    pub fn cut_from_there(&self, port: u16) {
        run(&[
            "nft",
            &format!("add rule ip cable input iifname here tcp dport {port} drop"),
        ]);
    }

    /// Whatever goes there from this port is lost from now on.
    pub fn cut_to_there(&self, port: u16) {
        run(&[
            "nft",
            &format!("add rule ip cable output oifname here tcp sport {port} drop"),
        ]);
    }

    /// Nothing is lost any more.
    pub fn heal(&self) {
        run(&["nft", "flush table ip cable"]);
    }

    fn run(&self, command: &[&str]) {
        let prefix = self.prefix();
        let words: Vec<&str> = prefix
            .iter()
            .map(String::as_str)
            .chain(command.iter().copied())
            .collect();
        run(&words);
    }
}

fn run(command: &[&str]) {
    let output = Command::new(command[0])
        .args(&command[1..])
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
}

fn text(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}
