//! The crossing between network and script with the real interpreter, each test
//! in a process of its own; and a scene in a group.

#![allow(clippy::unwrap_used, reason = "tests")]

mod changes;
mod channels;
mod cluster;
mod contexts;
mod group;
mod handlers;
mod large;
mod logs;
mod owner;
mod pace;
mod reload;
mod seed;
mod sessions;
mod stage;
mod stop;
mod verify;
mod watchdog;
