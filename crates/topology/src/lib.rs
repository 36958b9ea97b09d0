//! From a TOML file to a validated plan of a group.
//!
//! One file describes one group, and every daemon of the group reads the same
//! file. [`Topology::load`] takes that file, the environment and `--set`
//! arguments, and gives either a plan that can be trusted or one error that
//! lists every mistake, each with its place, what was found and what was
//! expected. [`BridgePlan::load`] does the same for the file of bridges between
//! groups, [`Plan::load`] for either. Which keys are of which is said by their
//! [`Document`].
//!
//! How it gets there, one module a step:
//! 1. `file` and `overrides` turn what was written into layers: keys, values
//!    and the place of each; a list of groups goes by their names (`group_list`).
//! 2. `shape` holds every layer against the [`reference`](keys) of keys:
//!    unknown keys, wrong types, bad names, values out of range.
//! 3. `settings` lays the layers over each other with the `config` crate,
//!    the defaults of the reference lowest.
//! 4. `assembly` and `bridge_assembly` read the plan out of them; what is missing
//!    shows here.
//! 5. `relations` and `bridge_relations` check what no single key can tell: clashing
//!    addresses, names that nobody declares, brokers that anyone could join or
//!    overhear, exports of nothing.
//!
//! What a file that was edited changes in those that run is said by [`changes`].
//!
//! What a plan means on one machine and for one node is in `state` (where
//! nodes keep what outlives them) and `security` (whose certificate is where).
//!
//! Invariants: a [`Topology`] in hand has passed all of these; loading opens
//! no socket and changes nothing; a secret appears in no `Debug` output and in
//! no message.
//!
//! It does not look whether a script exists or a machine can be reached: the
//! file is read on every machine, and most of what it names is on another. For
//! the same reason a certificate that is named by its node is looked for by
//! that node alone.

mod addresses;
mod any_plan;
mod assembly;
mod bridge_assembly;
mod bridge_plan;
mod bridge_relations;
mod changes;
mod credentials;
mod declarations;
mod document;
mod export_rules;
mod file;
mod findings;
mod group_list;
mod kind;
mod layer;
mod layout;
mod lines;
mod loader;
mod log;
mod missing;
mod mistake;
mod nearest;
mod overrides;
mod plan;
mod reference;
mod relations;
mod report;
mod section;
mod security;
mod settings;
mod shape;
mod state;
mod tls;
mod units;
mod unknown;
mod values;

pub use any_plan::Plan;
pub use bridge_plan::{Bridge, BridgeLimits, BridgePlan, JoinedGroup};
pub use changes::{Change, Changes, Restarts, bridge_changes, changes};
pub use document::Document;
pub use ipnet::IpNet;
pub use layout::STATE_DIRECTORY;
pub use log::{Log, LogFormat};
pub use mistake::{Mistake, Place, Problem, TopologyError};
pub use plan::{Gate, GateMode, Limits, Master, Scene, Slave, Topology, this_machine};
pub use reference::{Effect, Key, Presence, keys, reference_page};
pub use section::Section;
pub use security::Security;
pub use vocabulary::{Export, Exports};
