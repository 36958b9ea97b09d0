//! `redrabbit doctor` as a process: machines with something wrong, and one without.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../authority/mod.rs"]
mod authority;
mod files;
#[path = "../group/mod.rs"]
mod group;
mod machine;
mod network;
mod system;
