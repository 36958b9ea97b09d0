//! The keys of a group's file, section by section in its order.

use super::{
    DRAIN_GRACE, Effect, GIB, HOUR, KIB, Key, LINK_OUTBOX_BYTES, LOG_FORMAT, LOG_LEVEL, MIB,
    PAIR_BYTES,
    Presence::{Default, Optional, Required},
    key,
};
use crate::{
    kind::{Item, Kind},
    section::Section,
};

/// An envelope is at most 1 MiB, and 4 KiB of it are its own; what stands around
/// a client's frame in its body fits into the other 4 KiB.
const LARGEST_FRAME: u64 = MIB - 8 * KIB;

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key(Section::Top, "group", Kind::Group, Required, Effect::Group,
        "the name of the group, the same on every machine"),

    key(Section::Master, "machine", Kind::Machine, Default("localhost"), Effect::Node,
        "the machine that runs it; localhost is every machine"),
    key(Section::Master, "listen", Kind::Address, Required, Effect::Group,
        "where nodes reach the master"),
    key(Section::Master, "http", Kind::Address, Optional, Effect::Node,
        "where it serves /metrics, /healthz, /readyz and the console; nowhere unless set"),
    key(Section::Master, "workers", Kind::Count(1, 64), Default("1"), Effect::Node,
        "threads that route messages"),
    key(Section::Master, "state_dir", Kind::Path, Optional, Effect::Node,
        "the folder of the file in which it finds out that it was restarted, and of the \
         console's token, relative to the topology file; $STATE_DIRECTORY unless set, else redrabbit-<uid> in the temporary folder"),

    key(Section::Slave, "machine", Kind::Machine, Default("localhost"), Effect::Node,
        "the machine that runs it; localhost is every machine"),
    key(Section::Slave, "listen", Kind::Address, Required, Effect::Node,
        "where it listens for nodes"),
    key(Section::Slave, "advertise", Kind::Endpoint, Optional, Effect::Node,
        "where nodes reach it, by name or by IP address; where it listens unless set"),
    key(Section::Slave, "http", Kind::Address, Optional, Effect::Node,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Slave, "workers", Kind::Count(1, 64), Default("1"), Effect::Node,
        "threads that route messages"),

    key(Section::Gate, "machine", Kind::Machine, Default("localhost"), Effect::Node,
        "the machine that runs it; localhost is every machine"),
    key(Section::Gate, "tcp", Kind::Address, Optional, Effect::Node,
        "where clients connect by TCP"),
    key(Section::Gate, "websocket", Kind::Address, Optional, Effect::Node,
        "where clients connect by WebSocket"),
    key(Section::Gate, "mode", Kind::OneOf(&["game", "login"]), Default("game"), Effect::Node,
        "game holds its clients; login lets clients in and sends each to the gate with the fewest, \
         with a ticket for it"),
    key(Section::Gate, "advertise_tcp", Kind::Url(&["tcp", "tls"]), Optional, Effect::Node,
        "where clients that a login gate sends here connect by TCP; where it listens unless set"),
    key(Section::Gate, "advertise_websocket", Kind::Url(&["ws", "wss"]), Optional, Effect::Node,
        "where clients that a login gate sends here connect by WebSocket; where it listens unless \
         set"),
    key(Section::Gate, "certificate", Kind::Path, Optional, Effect::Node,
        "what it shows clients, in PEM, relative to the topology file: with it clients speak TLS. \
         A file that is replaced is read again"),
    key(Section::Gate, "key", Kind::Path, Optional, Effect::Node,
        "the certificate's private key, in PEM, relative to the topology file"),
    key(Section::Gate, "origins", Kind::List(Item::Origin), Optional, Effect::Live,
        "the pages from which browsers may connect by WebSocket; any unless set"),
    key(Section::Gate, "proxies", Kind::List(Item::Network), Optional, Effect::Live,
        "load balancers, whose connections begin with a PROXY header of version 2 that says who \
         the client is"),
    key(Section::Gate, "http", Kind::Address, Optional, Effect::Node,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Gate, "workers", Kind::Count(1, 64), Default("1"), Effect::Node,
        "threads that serve its clients"),
    key(Section::Gate, "verify", Kind::Node("scene"), Default("scene@0"), Effect::Live,
        "the scene that verifies new clients"),
    key(Section::Gate, "enter", Kind::Node("scene"), Optional, Effect::Live,
        "the scene that verified clients enter; the verifying one unless set"),

    key(Section::Scene, "machine", Kind::Machine, Default("localhost"), Effect::Node,
        "the machine that runs it; localhost is every machine"),
    key(Section::Scene, "script", Kind::Path, Required, Effect::Node,
        "the Python script that it runs, relative to the topology file"),
    key(Section::Scene, "python_path", Kind::List(Item::Path), Optional, Effect::Node,
        "more folders to import from, relative to the topology file"),
    key(Section::Scene, "venv", Kind::Path, Optional, Effect::Node,
        "the virtual environment whose packages it imports, relative to the topology file"),
    key(Section::Scene, "watch", Kind::Switch, Default("false"), Effect::Live,
        "it loads its script again whenever one of its files is changed: for development"),
    key(Section::Scene, "state_dir", Kind::Path, Optional, Effect::Node,
        "the folder of what it finds again when it was restarted, in <group>/<scene>, relative to \
         the topology file; $STATE_DIRECTORY unless set, else redrabbit-<uid> in the temporary \
         folder"),
    key(Section::Scene, "http", Kind::Address, Optional, Effect::Node,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Scene, "workers", Kind::Count(1, 64), Default("1"), Effect::Node,
        "threads beside that of Python, which carry its messages"),

    key(Section::Export, "groups", Kind::List(Item::Group), Required, Effect::Live,
        "the groups that may call; \"*\" for every group"),
    key(Section::Export, "services", Kind::List(Item::Service), Default("[\"*\"]"), Effect::Live,
        "the nodes that they may call: scene@1, scene for every scene, \"*\" for every node"),
    key(Section::Export, "cmds", Kind::List(Item::Cmds), Optional, Effect::Live,
        "the commands of services that they may call, and ranges of them"),
    key(Section::Export, "methods", Kind::List(Item::Method), Optional, Effect::Live,
        "the methods that they may call; a * at the end stands for any rest. Those by which \
         daemons speak to each other are never meant"),
    key(Section::Export, "directory", Kind::Switch, Default("false"), Effect::Live,
        "they may read who is in the group"),

    key(Section::Limits, "frame_bytes", Kind::Size(1, LARGEST_FRAME), Default("64KiB"), Effect::Live,
        "the largest body of a frame from a client"),
    key(Section::Limits, "verify_timeout", Kind::Duration(1, HOUR), Default("10s"), Effect::Live,
        "a client that is not verified by then is closed"),
    key(Section::Limits, "idle_timeout", Kind::Duration(1, 24 * HOUR), Default("60s"), Effect::Live,
        "a client that is silent for so long is closed"),
    key(Section::Limits, "send_queue_bytes", Kind::Size(1, GIB), Default("256KiB"), Effect::Live,
        "bytes that may wait for a slow client before it is closed"),
    key(Section::Limits, "send_queue_frames", Kind::Count(1, 1_000_000), Default("1024"), Effect::Live,
        "frames that may wait for a slow client before it is closed"),
    key(Section::Limits, "frames_per_second", Kind::Count(1, 1_000_000), Default("200"), Effect::Live,
        "frames a second that a client may send for long"),
    key(Section::Limits, "frame_burst", Kind::Count(1, 1_000_000), Default("400"), Effect::Live,
        "frames that a client may send at once"),
    key(Section::Limits, "rate_patience", Kind::Duration(1, 24 * HOUR), Default("30s"), Effect::Live,
        "a client that has sent faster than that for so long, without a pause, is closed"),
    key(Section::Limits, "resume_time", Kind::Duration(0, HOUR), Default("30s"), Effect::Live,
        "a client that asks for it and loses its connection may come back for so long, and \
         misses nothing; 0s is not at all"),
    key(Section::Limits, "resume_bytes", Kind::Size(1, GIB), Default("64KiB"), Effect::Live,
        "bytes that were written to such a client and are kept until it says that they have \
         come; one that lacks more has to log in anew"),
    key(Section::Limits, "compress_bytes", Kind::Size(64, GIB), Default("1KiB"), Effect::Live,
        "messages with bodies of at least so many bytes are compressed for clients that ask for it; \
         none is larger than 1MiB"),
    key(Section::Limits, "sessions_per_gate", Kind::Count(1, 10_000_000), Default("50000"), Effect::Live,
        "clients that a gate takes"),
    key(Section::Limits, "unverified_per_gate", Kind::Count(1, 10_000_000), Default("2048"), Effect::Live,
        "connections of a gate that are not verified yet; past it the oldest that has not said \
         who it is is closed"),
    key(Section::Limits, "connections_per_address", Kind::Count(1, 10_000_000), Default("256"), Effect::Live,
        "connections that a gate takes from one address; loopback is not counted"),
    key(Section::Limits, "session_window", Kind::Count(1, 65_536), Default("16"), Effect::Live,
        "frames of a client that its scene may have unfinished"),
    key(Section::Limits, "scene_window_bytes", Kind::Size(1, GIB), Default("16MiB"), Effect::Live,
        "bytes of all clients of a gate that one scene may have unfinished"),
    LINK_OUTBOX_BYTES,
    key(Section::Limits, "pair_bytes", PAIR_BYTES.0, PAIR_BYTES.1, Effect::Group,
        "bytes that may be unacknowledged from one node to another before calls end as \
         overloaded; what scene_window_bytes bounds is not counted"),
    key(Section::Limits, "call_timeout", Kind::Duration(1, HOUR), Default("5s"), Effect::Live,
        "a call without an answer ends then"),
    key(Section::Limits, "handler_timeout", Kind::Duration(1, 24 * HOUR), Default("30s"), Effect::Live,
        "an async handler of a script is ended then"),
    key(Section::Limits, "handler_warn", Kind::Duration(1, HOUR), Default("1s"), Effect::Live,
        "a handler that blocks its scene for so long is named in the log"),
    key(Section::Limits, "scene_hold", Kind::Duration(1, 24 * HOUR), Default("30s"), Effect::Live,
        "sessions whose scene is gone are held so long for its return"),
    key(Section::Limits, "lease", Kind::Duration(100, HOUR), Default("3s"), Effect::Node,
        "a node whose stream has broken is gone from the group then"),
    DRAIN_GRACE,

    LOG_LEVEL,
    LOG_FORMAT,

    key(Section::Security, "secret", Kind::Secret, Optional, Effect::Live,
        "what a node must know to join; needed when a broker listens beyond loopback"),
    key(Section::Security, "secret_file", Kind::Path, Optional, Effect::Live,
        "a file that holds the secret instead, relative to the topology file"),
    key(Section::Security, "authority", Kind::Path, Optional, Effect::Live,
        "the certificates (PEM) of who signs for this group's nodes; with it nodes and brokers \
         speak TLS"),
    key(Section::Security, "certificate", Kind::Path, Optional, Effect::Live,
        "a node's certificate (PEM); {name} stands for the node's own name, such as gate@0"),
    key(Section::Security, "key", Kind::Path, Optional, Effect::Live,
        "the private key (PEM) of that certificate; {name} as there"),
    key(Section::Security, "allow_plaintext", Kind::Switch, Default("false"), Effect::Live,
        "brokers may listen beyond loopback without TLS: whoever sees the network can read \
         everything, the secret too"),
];
