//! `redrabbit nodes`: who is in a group, as its master sees it, or in another one, as
//! a bridge does.
//!
//! A master tells anybody who knows the secret (`ask`). A bridge tells nodes only, so
//! that the command joins the group for as long as that takes (`bridge`).

mod ask;
mod bridge;
mod certificate;
mod error;
mod links;
mod view;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use protocol::{GroupName, Secret, tls::Connector};
use tokio::runtime;
use topology::Topology;

use crate::group::{self, reachable};
pub(crate) use ask::{list, list_dated, watch};
pub use error::NodesError;

/// The arguments of `nodes`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct NodesArgs {
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

    /// Asks a bridge for this other group, which has to show its directory
    #[arg(long, value_name = "NAME", conflicts_with = "master")]
    pub group: Option<GroupName>,

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Prints JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit nodes
  redrabbit nodes --topology /etc/redrabbit/topology.toml
  redrabbit nodes --master 10.0.0.1:10241 --secret-file /etc/redrabbit/secret
  redrabbit nodes --json | jq '.nodes[].name'
  redrabbit nodes --group GroupB          who is in GroupB, through a bridge

Below the nodes are the groups that bridges join: whether calls get there, and which
group of that name it is. With --group the file is still that of the own group. The
other group has to say `directory = true` in one of its [exports] for this one.

To ask a bridge it joins the group, as operator@ and a number; in a group that speaks
TLS as operator@0, and needs a certificate of that name where the topology says that
certificates are.

With --json the object has: group, epoch (the run of its master), revision, bridge (who
was asked, if not the master), nodes (name, id, role, state: joining, ready or draining,
address: of brokers alone, load, script: version, hash and services, of scenes alone,
build), other_groups (name, claimed_twice, bridges: name, reachable, identity).

Exit codes:
  0   the directory was printed
  1   the master or the bridge was not reached, or refused
  64  the command line is wrong
  78  the topology file is wrong";

/// Asks the master or a bridge, and gives what to print.
///
/// # Errors
/// [`NodesError`].
pub fn run(args: &NodesArgs) -> Result<String, NodesError> {
    let asked = whom_to_ask(args)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (response, bridge) = runtime.block_on(async {
        match asked {
            Asked::Master(master) => Ok::<_, NodesError>((list(&master).await?, None)),
            Asked::Bridge(topology, secret, group) => {
                let (response, name) = bridge::list(&topology, secret, &group).await?;
                Ok((response, Some(name)))
            }
        }
    })?;
    Ok(if args.json {
        view::to_json(response, bridge.as_ref())
    } else {
        view::to_table(response, bridge.as_ref())
    })
}

/// Who is to tell.
enum Asked {
    Master(Master),
    /// Whoever joins this group beside that of the topology.
    Bridge(Box<Topology>, Secret, GroupName),
}

/// A master, and what it has to be shown.
pub(crate) struct Master {
    address: SocketAddr,
    secret: Secret,
    tls: Option<Connector>,
}

impl Master {
    /// The master at this address, without encryption.
    pub(crate) fn at(address: SocketAddr, secret: Secret) -> Master {
        Master {
            address: reachable(address),
            secret,
            tls: None,
        }
    }

    /// It has spoken, and does not go on.
    pub(crate) fn silent(&self, reason: &str) -> NodesError {
        NodesError::Unreachable {
            address: self.address,
            reason: reason.to_owned(),
        }
    }

    /// The master of a topology, whose secret may be elsewhere.
    ///
    /// # Errors
    /// [`NodesError::NoCertificate`].
    pub(crate) fn of(topology: &Topology, secret: Secret) -> Result<Master, NodesError> {
        Ok(Master {
            address: reachable(topology.master.listen),
            secret,
            tls: certificate::connector(topology)?,
        })
    }
}

fn whom_to_ask(args: &NodesArgs) -> Result<Asked, NodesError> {
    let secret = args.secret_file.as_deref().map(read_secret).transpose()?;
    if let Some(address) = args.master {
        return Ok(Asked::Master(Master::at(
            address,
            secret.unwrap_or_default(),
        )));
    }
    let topology = Topology::load(&group::file(args.topology.as_deref()), &args.set)?;
    let secret = secret.unwrap_or_else(|| topology.security.secret.clone());
    Ok(match &args.group {
        Some(group) if *group != topology.group => {
            Asked::Bridge(Box::new(topology), secret, group.clone())
        }
        _ => Asked::Master(Master::of(&topology, secret)?),
    })
}

/// The secret that is all that a file holds.
///
/// # Errors
/// [`NodesError::SecretFile`].
pub(crate) fn read_secret(path: &Path) -> Result<Secret, NodesError> {
    let text = fs::read_to_string(path).map_err(|source| NodesError::SecretFile {
        path: path.display().to_string(),
        source,
    })?;
    Ok(Secret::new(text.trim()))
}
