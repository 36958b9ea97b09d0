//! Every key that a topology knows: the one table that validation, defaults and
//! documentation are made of.

use protocol::NodeName;

use crate::kind::Kind;

/// A key of a topology.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands.
    pub section: Section,
    /// Its name there.
    pub name: &'static str,
    /// Whether it may be left out.
    pub presence: Presence,
    /// What it does, in one line.
    pub meaning: &'static str,
    pub(crate) kind: Kind,
}

/// A section of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The top of the file, before any section.
    Top,
    /// `[master]`
    Master,
    /// `[slaves."slave@0"]`, one a slave.
    Slave,
    /// `[gates."gate@0"]`, one a gate.
    Gate,
    /// `[scenes."scene@0"]`, one a scene.
    Scene,
    /// `[limits]`
    Limits,
    /// `[security]`
    Security,
}

/// Whether a key may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It must be given.
    Required,
    /// It may be left out, and then there is no such thing.
    Optional,
    /// It may be left out, and then it is this.
    Default(&'static str),
}

/// All keys, section by section in the order of the file.
pub fn keys() -> &'static [Key] {
    KEYS
}

impl Key {
    /// The type of its value in a word, such as `size`.
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// What a value of it has to be, such as "a whole number from 1 to 64".
    pub fn expects(&self) -> String {
        self.kind.expects()
    }

    /// Where it stands in a file, such as `gates."gate@0".tcp`.
    pub fn path(&self) -> String {
        match self.section.path() {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }
}

impl Section {
    /// Its path in a file, with `gate@0` and the like for the name of a node.
    pub fn path(self) -> &'static str {
        match self {
            Section::Top => "",
            Section::Master => "master",
            Section::Slave => "slaves.\"slave@0\"",
            Section::Gate => "gates.\"gate@0\"",
            Section::Scene => "scenes.\"scene@0\"",
            Section::Limits => "limits",
            Section::Security => "security",
        }
    }

    /// The first part of its path.
    pub(crate) fn top(self) -> &'static str {
        match self {
            Section::Slave => "slaves",
            Section::Gate => "gates",
            Section::Scene => "scenes",
            other => other.path(),
        }
    }

    /// The role of the nodes that it names one each, if it does.
    pub(crate) fn role(self) -> Option<&'static str> {
        match self {
            Section::Slave => Some("slave"),
            Section::Gate => Some("gate"),
            Section::Scene => Some("scene"),
            _ => None,
        }
    }

    /// The section whose path begins with `name`.
    pub(crate) fn named(name: &str) -> Option<Section> {
        SECTIONS.into_iter().find(|section| section.top() == name)
    }

    /// Whether `name` can be the name of a node of this section.
    pub(crate) fn admits(self, name: &str) -> bool {
        name.parse::<NodeName>()
            .is_ok_and(|name| Some(name.role()) == self.role())
    }

    pub(crate) fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self)
    }

    pub(crate) fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// The sections below the top.
pub(crate) const SECTIONS: [Section; 6] = [
    Section::Master,
    Section::Slave,
    Section::Gate,
    Section::Scene,
    Section::Limits,
    Section::Security,
];

use Presence::{Default, Optional, Required};

const fn key(
    section: Section,
    name: &'static str,
    kind: Kind,
    presence: Presence,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        presence,
        meaning,
        kind,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;

/// An envelope is at most 1 MiB, and 4 KiB of it are its own; what stands around
/// a client's frame in its body fits into the other 4 KiB. A pair has to take an
/// envelope of any size, hence the least of `pair_bytes`.
const LARGEST_FRAME: u64 = MIB - 8 * KIB;

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key(Section::Top, "group", Kind::Group, Required,
        "the name of the group, the same on every machine"),

    key(Section::Master, "machine", Kind::Machine, Default("localhost"),
        "the machine that runs it; localhost is every machine"),
    key(Section::Master, "listen", Kind::Address, Required,
        "where nodes reach the master"),
    key(Section::Master, "http", Kind::Address, Optional,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Master, "workers", Kind::Count(1, 64), Default("1"),
        "threads that route messages"),
    key(Section::Master, "state_dir", Kind::Path, Optional,
        "the folder of the file in which it finds out that it was restarted, relative to the \
         topology file; $STATE_DIRECTORY unless set, else redrabbit-<uid> in the temporary folder"),

    key(Section::Slave, "machine", Kind::Machine, Default("localhost"),
        "the machine that runs it; localhost is every machine"),
    key(Section::Slave, "listen", Kind::Address, Required,
        "where it listens for nodes"),
    key(Section::Slave, "advertise", Kind::Endpoint, Optional,
        "where nodes reach it, by name or by IP address; where it listens unless set"),
    key(Section::Slave, "http", Kind::Address, Optional,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Slave, "workers", Kind::Count(1, 64), Default("1"),
        "threads that route messages"),

    key(Section::Gate, "machine", Kind::Machine, Default("localhost"),
        "the machine that runs it; localhost is every machine"),
    key(Section::Gate, "tcp", Kind::Address, Optional,
        "where clients connect by TCP"),
    key(Section::Gate, "websocket", Kind::Address, Optional,
        "where clients connect by WebSocket"),
    key(Section::Gate, "http", Kind::Address, Optional,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Gate, "workers", Kind::Count(1, 64), Default("1"),
        "threads that serve its clients"),
    key(Section::Gate, "verify", Kind::Node("scene"), Default("scene@0"),
        "the scene that verifies new clients"),
    key(Section::Gate, "enter", Kind::Node("scene"), Optional,
        "the scene that verified clients enter; the verifying one unless set"),

    key(Section::Scene, "machine", Kind::Machine, Default("localhost"),
        "the machine that runs it; localhost is every machine"),
    key(Section::Scene, "script", Kind::Path, Required,
        "the Python script that it runs, relative to the topology file"),
    key(Section::Scene, "python_path", Kind::Paths, Optional,
        "more folders to import from, relative to the topology file"),
    key(Section::Scene, "venv", Kind::Path, Optional,
        "the virtual environment whose packages it imports, relative to the topology file"),
    key(Section::Scene, "watch", Kind::Switch, Default("false"),
        "it loads its script again whenever one of its files is changed: for development"),
    key(Section::Scene, "state_dir", Kind::Path, Optional,
        "the folder of what it finds again when it was restarted, in <group>/<scene>, relative to \
         the topology file; $STATE_DIRECTORY unless set, else redrabbit-<uid> in the temporary \
         folder"),
    key(Section::Scene, "http", Kind::Address, Optional,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Scene, "workers", Kind::Count(1, 64), Default("1"),
        "threads beside that of Python, which carry its messages"),

    key(Section::Limits, "frame_bytes", Kind::Size(1, LARGEST_FRAME), Default("64KiB"),
        "the largest body of a frame from a client"),
    key(Section::Limits, "verify_timeout", Kind::Duration(1, HOUR), Default("10s"),
        "a client that is not verified by then is closed"),
    key(Section::Limits, "idle_timeout", Kind::Duration(1, 24 * HOUR), Default("60s"),
        "a client that is silent for so long is closed"),
    key(Section::Limits, "send_queue_bytes", Kind::Size(1, GIB), Default("256KiB"),
        "bytes that may wait for a slow client before it is closed"),
    key(Section::Limits, "send_queue_frames", Kind::Count(1, 1_000_000), Default("1024"),
        "frames that may wait for a slow client before it is closed"),
    key(Section::Limits, "frames_per_second", Kind::Count(1, 1_000_000), Default("200"),
        "frames a second that a client may send for long"),
    key(Section::Limits, "frame_burst", Kind::Count(1, 1_000_000), Default("400"),
        "frames that a client may send at once"),
    key(Section::Limits, "rate_patience", Kind::Duration(1, 24 * HOUR), Default("30s"),
        "a client that has sent faster than that for so long, without a pause, is closed"),
    key(Section::Limits, "sessions_per_gate", Kind::Count(1, 10_000_000), Default("50000"),
        "clients that a gate takes"),
    key(Section::Limits, "unverified_per_gate", Kind::Count(1, 10_000_000), Default("2048"),
        "connections of a gate that are not verified yet; past it the oldest that has not said \
         who it is is closed"),
    key(Section::Limits, "connections_per_address", Kind::Count(1, 10_000_000), Default("256"),
        "connections that a gate takes from one address; loopback is not counted"),
    key(Section::Limits, "session_window", Kind::Count(1, 65_536), Default("16"),
        "frames of a client that its scene may have unfinished"),
    key(Section::Limits, "scene_window_bytes", Kind::Size(1, GIB), Default("16MiB"),
        "bytes of all clients of a gate that one scene may have unfinished"),
    key(Section::Limits, "link_outbox_bytes", Kind::Size(KIB, 4 * GIB), Default("64MiB"),
        "bytes that may wait on a link before calls end as overloaded"),
    key(Section::Limits, "pair_bytes", Kind::Size(MIB, GIB), Default("16MiB"),
        "bytes that may be unacknowledged from one node to another before calls end as \
         overloaded; what scene_window_bytes bounds is not counted"),
    key(Section::Limits, "call_timeout", Kind::Duration(1, HOUR), Default("5s"),
        "a call without an answer ends then"),
    key(Section::Limits, "handler_timeout", Kind::Duration(1, 24 * HOUR), Default("30s"),
        "an async handler of a script is ended then"),
    key(Section::Limits, "handler_warn", Kind::Duration(1, HOUR), Default("1s"),
        "a handler that blocks its scene for so long is named in the log"),
    key(Section::Limits, "scene_hold", Kind::Duration(1, 24 * HOUR), Default("30s"),
        "sessions whose scene is gone are held so long for its return"),
    key(Section::Limits, "lease", Kind::Duration(100, HOUR), Default("3s"),
        "a node whose stream has broken is gone from the group then"),
    key(Section::Limits, "drain_grace", Kind::Duration(1, 24 * HOUR), Default("10s"),
        "what a daemon that is told to stop has to finish its work"),

    key(Section::Security, "secret", Kind::Secret, Optional,
        "what a node must know to join; needed when a broker listens beyond loopback"),
    key(Section::Security, "secret_file", Kind::Path, Optional,
        "a file that holds the secret instead, relative to the topology file"),
    key(Section::Security, "authority", Kind::Path, Optional,
        "the certificates (PEM) of who signs for this group's nodes; with it nodes and brokers \
         speak TLS"),
    key(Section::Security, "certificate", Kind::Path, Optional,
        "a node's certificate (PEM); {name} stands for the node's own name, such as gate@0"),
    key(Section::Security, "key", Kind::Path, Optional,
        "the private key (PEM) of that certificate; {name} as there"),
    key(Section::Security, "allow_plaintext", Kind::Switch, Default("false"),
        "brokers may listen beyond loopback without TLS: whoever sees the network can read \
         everything, the secret too"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Given;

    #[test]
    fn every_default_is_a_valid_value_of_its_key() {
        for key in keys() {
            if let Presence::Default(text) = key.presence {
                let given = Given::Word(text.to_owned());
                assert!(key.kind.read(&given).is_some(), "{}", key.path());
            }
        }
    }

    #[test]
    fn a_key_stands_in_a_section_once() {
        for key in keys() {
            let same = key.section.keys().filter(|other| other.name == key.name);
            assert_eq!(same.count(), 1, "{}", key.path());
        }
    }
}
