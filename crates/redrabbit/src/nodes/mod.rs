//! `redrabbit nodes`: who is in a group, as its master sees it.

mod ask;
mod certificate;
mod view;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use daemon::Exit;
use protocol::{
    Secret,
    tls::{Connector, TlsError},
};
use tokio::runtime;
use topology::{Topology, TopologyError};

use crate::group::{self, reachable};
pub(crate) use ask::list;

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

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Prints JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The directory could not be had. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// The topology file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The file with the secret cannot be read.
    #[error("cannot read the secret in {path}: {source}")]
    SecretFile {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers.
    #[error(
        "no master answers at {address}: {reason}; is it running? \
         start it with `redrabbit up FILE`, or ask systemctl"
    )]
    Unreachable {
        /// Where it should be.
        address: SocketAddr,
        /// What came instead of an answer.
        reason: String,
    },
    /// The master does not know the secret.
    #[error(
        "the master at {address} refuses the secret: give the group's own with --secret-file, \
         or in [security] of the topology"
    )]
    SecretRefused {
        /// Where it is.
        address: SocketAddr,
    },
    /// The master answers, and not with a directory.
    #[error("the master at {address} answers: {message}")]
    Refused {
        /// Where it is.
        address: SocketAddr,
        /// What it said.
        message: String,
    },
    /// The group speaks TLS, and this user has nothing to show.
    #[error(
        "the master wants to see the certificate of a node, and there is none to show: {source}; \
         ask on a machine that runs a node, as a user who may read its key"
    )]
    NoCertificate {
        /// What is wrong with the likeliest.
        source: Box<TlsError>,
    },
    /// The runtime does not start.
    #[error("cannot ask: {0}")]
    System(#[from] io::Error),
}

const HELP: &str = "\
Examples:
  redrabbit nodes
  redrabbit nodes --topology /etc/redrabbit/topology.toml
  redrabbit nodes --master 10.0.0.1:10241 --secret-file /etc/redrabbit/secret
  redrabbit nodes --json | jq '.nodes[].name'

Exit codes:
  0   the directory was printed
  1   the master was not reached, or refused
  64  the command line is wrong
  78  the topology file is wrong";

/// Asks the master, and gives what to print.
///
/// # Errors
/// [`NodesError`].
pub fn run(args: &NodesArgs) -> Result<String, NodesError> {
    let master = whom_to_ask(args)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let response = runtime.block_on(list(&master))?;
    Ok(if args.json {
        view::to_json(response)
    } else {
        view::to_table(response)
    })
}

impl NodesError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            NodesError::Topology(_) => Exit::Config,
            NodesError::SecretFile { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

/// A master, and what it has to be shown.
pub(crate) struct Master {
    address: SocketAddr,
    secret: Secret,
    tls: Option<Connector>,
}

impl Master {
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

fn whom_to_ask(args: &NodesArgs) -> Result<Master, NodesError> {
    let secret = args.secret_file.as_deref().map(read_secret).transpose()?;
    if let Some(address) = args.master {
        return Ok(Master {
            address: reachable(address),
            secret: secret.unwrap_or_default(),
            tls: None,
        });
    }
    let topology = Topology::load(&group::file(args.topology.as_deref()), &args.set)?;
    let secret = secret.unwrap_or_else(|| topology.security.secret.clone());
    Master::of(&topology, secret)
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
