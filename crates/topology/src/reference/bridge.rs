//! The keys of a bridge's file, section by section in its order.

use super::{
    DRAIN_GRACE, Effect, Key, LINK_OUTBOX_BYTES, LOG_FORMAT, LOG_LEVEL, PAIR_BYTES,
    Presence::{Default, Optional, Required},
    key,
};
use crate::{kind::Kind, section::Section};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key(Section::Bridge, "machine", Kind::Machine, Default("localhost"), Effect::Node,
        "the machine that runs it; localhost is every machine"),
    key(Section::Bridge, "http", Kind::Address, Optional, Effect::Node,
        "where it serves /metrics, /healthz and /readyz; nowhere unless set"),
    key(Section::Bridge, "workers", Kind::Count(1, 64), Default("1"), Effect::Node,
        "threads that carry its calls"),

    key(Section::Group, "name", Kind::Group, Required, Effect::Group,
        "the name of the group, as its own file has it"),
    key(Section::Group, "master", Kind::Peer, Required, Effect::Group,
        "where the group's master is reached: the listen of its own file"),
    key(Section::Group, "secret", Kind::Secret, Optional, Effect::Live,
        "the group's secret; needed when its master is beyond loopback"),
    key(Section::Group, "secret_file", Kind::Path, Optional, Effect::Live,
        "a file that holds the secret instead, relative to this file"),
    key(Section::Group, "authority", Kind::Path, Optional, Effect::Live,
        "the certificates (PEM) of who signs for the group's nodes; with it the bridge speaks TLS \
         there"),
    key(Section::Group, "certificate", Kind::Path, Optional, Effect::Live,
        "the bridge's certificate (PEM) in the group; {name} stands for the bridge's own name, \
         such as bridge@0"),
    key(Section::Group, "key", Kind::Path, Optional, Effect::Live,
        "the private key (PEM) of that certificate; {name} as there"),
    key(Section::Group, "allow_plaintext", Kind::Switch, Default("false"), Effect::Live,
        "the master may be beyond loopback without TLS: whoever sees the network can read \
         everything, the secret too"),

    LINK_OUTBOX_BYTES,
    key(Section::Limits, "pair_bytes", PAIR_BYTES.0, PAIR_BYTES.1, Effect::Group,
        "bytes that may be unacknowledged from the bridge to one node before calls end as \
         overloaded"),
    DRAIN_GRACE,

    LOG_LEVEL,
    LOG_FORMAT,
];
