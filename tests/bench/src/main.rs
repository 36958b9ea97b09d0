//! The load tool for brokers.
//!
//! It measures a broker as its nodes meet it: a requester and a responder in
//! processes of their own (this program, started again), and between them the
//! broker, which is the released daemon or, for comparison, `nats-server`.
//!
//! - [`shapes`] says what loads there are, [`job`] what one side of a load is
//!   told; [`rounds`] runs them, [`process`] starts and ends what they need.
//! - [`peer`] has the ways to put a load on a broker, [`load`] what they share:
//!   the calls under way and the interval that is measured.
//! - [`cpu`] and the tests' histogram are the instruments, [`report`] the table.
//!
//! More measurements are beside that: [`faults`] is what callers see when
//! brokers come and go, [`memory`] what links within a process save, [`across`] what a
//! call between groups costs beside one inside a group, [`gate`] what
//! a whole group carries from its clients to a script and back, [`scene`] what of that
//! the script and its crossing take, [`front`] what TLS, login gates, coming back and
//! compression cost.
//!
//! Whatever it starts ends with it, and nothing runs without a limit in time.

mod across;
mod cli;
mod cpu;
mod faults;
mod front;
mod gate;
mod job;
mod load;
mod memory;
mod peer;
mod process;
mod report;
mod rounds;
mod scene;
mod shapes;
mod side;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};

/// As in the scene host, a part of which runs in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Broker(options) => rounds::run(&options.plan()),
        Command::Faults(options) => faults::run(&options),
        Command::Memory(options) => memory::run(&options),
        Command::Across(options) => across::run(&options),
        Command::Gate(options) => gate::run(options),
        Command::Front(options) => front::run(&options),
        Command::Scene(options) => scene::run(options),
        Command::Echo { address } => gate::echo_server(address),
        Command::Side { job } => side::run(&job),
    }
}
