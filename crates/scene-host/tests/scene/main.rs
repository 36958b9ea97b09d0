//! The crossing between network and script with the real interpreter, each test
//! in a process of its own; and a scene in a group.

#![allow(clippy::unwrap_used, reason = "tests")]

mod across;
mod big;
mod calls;
mod changes;
mod channels;
mod cluster;
mod conformance;
mod contain;
mod contexts;
mod databases;
mod events;
mod group;
mod handlers;
mod ids;
mod large;
mod libraries;
mod logs;
mod messages;
mod owner;
mod pace;
mod reload;
mod seed;
mod services;
mod sessions;
mod snapshot;
mod stage;
mod stand_in;
mod steps;
mod stop;
mod venv;
mod verify;
mod watch;
mod watchdog;
