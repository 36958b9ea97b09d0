//! What a group carries from clients to a script and back: messages that come
//! back, broadcasts, logins, idle connections, and a client that does not read.
//!
//! - [`server`] is what is loaded: the released gate, broker and scene host with
//!   a script of the tool's own (`script.py`), or a peer.
//! - [`swarm`] is the clients, all on one thread, [`wire`] how they speak and
//!   [`stamp`] what each message carries, so that all are counted and in order.
//! - [`echo`], [`broadcast`], [`login`], [`idle`] and [`slow`] are the loads,
//!   [`usage`] what they take of each process, [`measured`] the table.

mod bare;
mod broadcast;
pub(crate) mod echo;
mod idle;
pub(crate) mod login;
pub(crate) mod measured;
mod options;
pub(crate) mod server;
mod shape;
mod slow;
pub(crate) mod stamp;
pub(crate) mod swarm;
pub(crate) mod usage;
mod wire;

use anyhow::{Context, Result};

pub(crate) use self::{bare::serve as echo_server, options::Options};
use self::{
    measured::Measured,
    options::Plan,
    server::{Kind, Server, Subject},
    shape::Shape,
};

const TCP: &str = "TCP";
const WEBSOCKET: &str = "WebSocket";

/// Measures, and prints as it goes: each load for each subject in turn, round
/// after round.
pub(crate) fn run(options: Options) -> Result<()> {
    daemon::raise_file_limit().context("cannot raise the limit of open files")?;
    let plan = options.plan();
    let mut last = None;
    for shape in &plan.shapes {
        for websocket in &plan.websocket {
            if last != Some(shape.table()) {
                if last.is_some() {
                    println!();
                }
                last = Some(shape.table());
                shape.head();
            }
            several(&plan, *shape, *websocket)?;
        }
    }
    Ok(())
}

/// All rounds of one load, and its rows.
fn several(plan: &Plan, shape: Shape, websocket: bool) -> Result<()> {
    let over = if websocket { WEBSOCKET } else { TCP };
    let (body, time) = (plan.body, plan.time);
    match shape {
        Shape::Echo(load) => {
            let measure = |server: &Server| echo::run(server, websocket, load, body, time);
            messages(plan, shape, over, measure)
        }
        Shape::Broadcast(load) => {
            let measure = |server: &Server| broadcast::run(server, websocket, load, body, time);
            messages(plan, shape, over, measure)
        }
        Shape::Login(clients) => {
            let measure = |server: &Server| login::run(server, websocket, clients);
            messages(plan, shape, over, measure)
        }
        Shape::Idle(clients) => {
            let measure = |server: &Server| idle::run(server, websocket, clients);
            for (subject, rounds) in rounds(plan, shape, over, measure)? {
                idle::row(clients, over, subject, &rounds);
            }
            Ok(())
        }
        Shape::Slow => {
            for reads in [true, false] {
                let measure = |server: &Server| slow::run(server, websocket, reads, body, time);
                for (subject, rounds) in rounds(plan, shape, over, measure)? {
                    slow::row(reads, over, subject, &rounds);
                }
            }
            Ok(())
        }
    }
}

/// All rounds of a load whose messages are counted.
fn messages(
    plan: &Plan,
    shape: Shape,
    over: &str,
    measure: impl Fn(&Server) -> Result<Measured>,
) -> Result<()> {
    for (subject, rounds) in rounds(plan, shape, over, measure)? {
        measured::row(
            &shape.to_string(),
            over,
            subject,
            &Measured::median(&rounds),
        );
    }
    Ok(())
}

/// Measures everybody who can be, in turn, so that whatever else the machine
/// does strikes all of them alike.
fn rounds<'p, M>(
    plan: &'p Plan,
    shape: Shape,
    over: &str,
    measure: impl Fn(&Server) -> Result<M>,
) -> Result<Vec<(&'p str, Vec<M>)>> {
    let able = |subject: &&Subject| match subject.kind {
        Kind::Group(_) => true,
        Kind::Bare => matches!(shape, Shape::Echo(_) | Shape::Broadcast(_)) && over == TCP,
        // These know nothing but bytes that come back.
        Kind::Nats | Kind::Other { .. } => matches!(shape, Shape::Echo(_)) && over == TCP,
    };
    let subjects: Vec<&Subject> = plan.subjects.iter().filter(able).collect();
    let mut rounds: Vec<_> = subjects
        .iter()
        .map(|subject| (subject.name.as_str(), Vec::new()))
        .collect();
    for _ in 0..plan.rounds {
        for (subject, (name, rounds)) in subjects.iter().zip(&mut rounds) {
            let one = || measure(&Server::start(subject, &plan.layout)?);
            rounds.push(one().with_context(|| format!("{shape}, {over}, {name}"))?);
        }
    }
    Ok(rounds)
}
