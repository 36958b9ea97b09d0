//! `redrabbit call`: a method of a node, or a service of a scene's script, is called as
//! another node would call it.
//!
//! The directory is read first: most of what can be wrong is to be seen there
//! (`target`). Then the command joins the group for one call, with the bytes that `body`
//! makes of its arguments. How that ended is in `answer` or in [`CallFailure`], which has
//! an exit code for each way.

mod answer;
mod args;
mod body;
mod error;
mod method;
mod target;

use std::time::Instant;

use bytes::Bytes;
use protocol::{CallError, NodeName, Secret};
use tokio::runtime;
use topology::Topology;

use answer::Answer;
pub use args::CallArgs;
pub use error::CallFailure;
use target::{Target, Wanted};

use crate::{
    group,
    nodes::{self, Master, NodesError},
    operator::Operator,
};

/// Calls, and gives what to print.
///
/// # Errors
/// [`CallFailure`].
pub fn run(args: &CallArgs) -> Result<String, CallFailure> {
    let wanted = Wanted::read(&args.target)?;
    if let (Some(group), Wanted::Role(_)) = (&args.group, &wanted) {
        return Err(CallFailure::NoRoleThere {
            given: args.target.clone(),
            group: group.clone(),
        });
    }
    let method = method::read(&args.method)?;
    let body = body::read(args)?;
    let topology = Topology::load(&group::file(args.topology.as_deref()), &args.set)
        .map_err(NodesError::from)?;
    let secret = match &args.secret_file {
        Some(path) => nodes::read_secret(path)?,
        None => topology.security.secret.clone(),
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NodesError::from)?;
    let answer = runtime.block_on(call(args, &topology, secret, (wanted, method, body)))?;
    Ok(match args.json {
        true => answer.to_json(),
        false => answer.to_text(),
    })
}

async fn call(
    args: &CallArgs,
    topology: &Topology,
    secret: Secret,
    (wanted, method, body): (Wanted, String, Bytes),
) -> Result<Answer, CallFailure> {
    let target = match &args.group {
        Some(_) => None,
        None => {
            let directory = nodes::list(&Master::of(topology, secret.clone())?).await?;
            Some(target::find(&directory, &wanted, &method)?)
        }
    };
    let deadline = args.deadline.unwrap_or(topology.limits.call_timeout);
    let operator = Operator::join(topology, secret, deadline).await?;
    let node = operator.node();
    let begun = Instant::now();
    let calling = async {
        match (&target, &args.group) {
            (Some(target), _) => {
                node.call_within(target.id, method.clone(), body, deadline)
                    .await
            }
            (None, Some(group)) => {
                let mut group = node.group(group.clone());
                if let Wanted::Node(name) = &wanted {
                    group = group.service(name.clone());
                }
                group.call_within(method.clone(), body, deadline).await
            }
            // There is no target only where there is a group.
            (None, None) => Ok(Bytes::new()),
        }
    };
    let outcome = tokio::select! {
        outcome = calling => Some(outcome),
        _ = tokio::signal::ctrl_c() => None,
    };
    let took = begun.elapsed();
    operator.leave().await;
    let called = called(target.as_ref(), &wanted, args);
    match outcome {
        Some(Ok(body)) => Ok(Answer {
            node: called,
            method,
            body,
            took,
        }),
        Some(Err(error)) => Err(ended(error, called, method, target)),
        None => Err(CallFailure::Interrupted),
    }
}

/// Who it was, for people: `scene@0`, or `scene@0 of GroupB`.
fn called(target: Option<&Target>, wanted: &Wanted, args: &CallArgs) -> String {
    let name = |name: &NodeName| name.to_string();
    let who = match (target, wanted) {
        (Some(target), _) => name(&target.name),
        (None, Wanted::Node(there)) => name(there),
        (None, _) => "any node".to_owned(),
    };
    match &args.group {
        Some(group) => format!("{who} of {group}"),
        None => who,
    }
}

fn ended(source: CallError, called: String, method: String, target: Option<Target>) -> CallFailure {
    CallFailure::Ended {
        called,
        method,
        source,
        offers: target.map(|target| target.offers).unwrap_or_default(),
    }
}
