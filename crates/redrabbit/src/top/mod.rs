//! `redrabbit top`: a group as it lives, in a terminal.
//!
//! - `model`: what is looked at, and what keys do to it; `view` draws it; `plain`
//!   writes it for what is no terminal. None of them waits or asks for anything.
//! - `feed`: what the master says each second, and whether it does.
//! - `screen`: the terminal.

mod feed;
mod model;
mod numbers;
mod plain;
mod screen;
mod view;

use std::{
    env,
    io::{IsTerminal, Write, stderr, stdin, stdout},
    net::SocketAddr,
    path::PathBuf,
};

use broker_master::group_json;
use daemon::wants_colour;
use tokio::{runtime, sync::mpsc::Receiver};
use topology::Topology;

use crate::{
    group,
    nodes::{Master, NodesError, read_secret},
};
use feed::{Word, follow};
use model::Model;
pub use model::Sort;
use view::Style;

/// The arguments of `top`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct TopArgs {
    /// The file that describes the group; configs/local.toml if it is there,
    /// else /etc/redrabbit/topology.toml
    #[arg(long, value_name = "FILE", conflicts_with = "master")]
    pub topology: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "master")]
    pub set: Vec<String>,

    /// Asks the master at this address, without any file
    #[arg(long, value_name = "ADDRESS")]
    pub master: Option<SocketAddr>,

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// What nodes are in the order of
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,

    /// Prints the group as text so many times, one second apart, and ends; once,
    /// where there is no terminal
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Prints a JSON object in a line each second, for ever or --count times
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit top
  redrabbit top --sort cpu
  redrabbit top --count 1                 as text, for a mail or a script
  redrabbit top --master 10.0.0.1:10241 --secret-file /etc/redrabbit/secret
  redrabbit top --json --count 1 | jq '.alarms'

The master says each second how every node does. LOAD is sessions for gates and scenes;
CPU is of one core; MEM and BYTES are multiples of 1024; QUEUE is how full the fullest
queue to other nodes is; DROPS is what came to nothing since the start, whatever the
reason; SCRIPT is how many times it was loaded and what it is; HEARD is how long ago the
master heard the node. Above are the alarms: what somebody should look at.

Without --count, the screen and --json wait for a master that goes away.

With --json an object has: group, epoch, revision, now_ms, nodes (id, name, role, state:
joining, ready, draining or suspect, build, script: version and hash, load, sessions,
started_ms, heard_ms, cpu: in cores, memory_bytes, messages_in_per_s, messages_out_per_s,
bytes_in_per_s, bytes_out_per_s, queued_messages, queued_bytes, queue_fill: 1 is full,
dropped, dropped_per_s, faults: at_ms, level, target, text, groups: name, reachable),
links (node, broker, messages_per_s, bytes_per_s, queued_bytes), alarms (severity:
warning or critical, node, text, since_ms). What a node says nothing of is null.

Exit codes:
  0   it was ended, or has printed what was asked for
  1   the master was not reached, or refused; with --count, it went away
  64  the command line is wrong
  78  the topology file is wrong";

/// Shows the group until it is ended.
///
/// # Errors
/// [`NodesError`]: the group was not there from the beginning, or the terminal is none.
pub fn run(args: &TopArgs) -> Result<(), NodesError> {
    let master = master(args)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let shown = runtime.block_on(async {
        let mut words = follow(master);
        let mut model = Model {
            sort: args.sort,
            ..Model::default()
        };
        // Who is not let in, or has the wrong address, is told so and not shown a screen.
        next(&mut model, &mut words).await?;
        let interactive = !args.json && args.count.is_none();
        if interactive && stdout().is_terminal() && stdin().is_terminal() {
            let style = Style {
                colour: wants_colour(None, env::var("NO_COLOR").ok().as_deref(), true),
            };
            return Ok(screen::show(&mut model, &mut words, style).await?);
        }
        // The first may be as old as a period, and has no rates where nobody has been
        // heard twice: what is printed once should be what is so.
        next(&mut model, &mut words).await?;
        let times = args.count.unwrap_or(if args.json { u64::MAX } else { 1 });
        print(&mut model, &mut words, times, args.json).await
    });
    // A thread may still wait for a key.
    runtime.shutdown_background();
    shown
}

/// Prints the group so many times.
async fn print(
    model: &mut Model,
    words: &mut Receiver<Word>,
    times: u64,
    json: bool,
) -> Result<(), NodesError> {
    for time in 1..=times {
        let text = match &model.group {
            Some(group) if json => format!("{}\n", group_json(group)),
            _ => plain::plain(model),
        };
        let mut out = stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            // Whoever read it has seen enough.
            return Ok(());
        }
        drop(out);
        if time < times {
            match next(model, words).await {
                // Whoever follows a group for ever hears again of one that comes back.
                Err(away) if times == u64::MAX => wait(model, words, &away).await,
                heard => heard?,
            }
        }
    }
    Ok(())
}

/// Says why there is nothing, once, and waits until there is something again.
async fn wait(model: &mut Model, words: &mut Receiver<Word>, away: &NodesError) {
    // Nobody may be there to read it.
    let _ = writeln!(stderr().lock(), "{away}");
    while next(model, words).await.is_err() {}
}

/// Waits for the next state.
async fn next(model: &mut Model, words: &mut Receiver<Word>) -> Result<(), NodesError> {
    match words.recv().await {
        Some(Word::State(state)) => {
            model.hear(*state);
            Ok(())
        }
        Some(Word::Away(error)) => Err(error),
        None => Ok(()),
    }
}

fn master(args: &TopArgs) -> Result<Master, NodesError> {
    let secret = args.secret_file.as_deref().map(read_secret).transpose()?;
    if let Some(address) = args.master {
        return Ok(Master::at(address, secret.unwrap_or_default()));
    }
    let topology = Topology::load(&group::file(args.topology.as_deref()), &args.set)?;
    let secret = secret.unwrap_or_else(|| topology.security.secret.clone());
    Master::of(&topology, secret)
}
