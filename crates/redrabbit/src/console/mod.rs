//! `redrabbit console`: where the console of a group is, with what opens it.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use daemon::Exit;
use serde_json::json;
use topology::{Topology, TopologyError};

use crate::group::{self, reachable};

/// The arguments of `console`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct ConsoleArgs {
    /// The file that describes the group; configs/local.toml if it is there,
    /// else /etc/redrabbit/topology.toml
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Prints JSON instead of the address
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
The console is a page of the master, at master.http: the group drawn live. It is opened
by a token, which the master makes at its first start and keeps where only its own user
can read it: run this on the machine of the master, as root or as that user. Whoever has
the address can look at the group, and change nothing.

Examples:
  redrabbit console
  sudo redrabbit console --topology /etc/redrabbit/topology.toml
  ssh -L 10341:127.0.0.1:10341 one        then open the address on your own machine

With --json the object has: group, url (with the token), token_file.

Exit codes:
  0   the address was printed
  1   there is no console, or its token cannot be read
  64  the command line is wrong
  78  the topology file is wrong";

/// There is no address to print. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The topology file is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The master serves no pages.
    #[error(
        "{} has no master.http, where the console would be: set it, such as \
         http = \"127.0.0.1:10341\" below [master], and start the master again",
        file.display()
    )]
    NoHttp {
        /// The topology.
        file: PathBuf,
    },
    /// No master has run here.
    #[error(
        "{} is not there: a master makes it when it starts. Run this on the machine of the \
         master, which is {machine}, and under the state_dir that it has",
        path.display()
    )]
    NoToken {
        /// Where the token would be.
        path: PathBuf,
        /// Where the master runs.
        machine: String,
    },
    /// Somebody else's.
    #[error(
        "{} cannot be read: {error}; run this as root, or as the user who runs the master",
        path.display()
    )]
    Unreadable {
        /// Where the token is.
        path: PathBuf,
        /// Why; told in the text, and so no source of it.
        error: io::Error,
    },
}

impl ConsoleError {
    /// How the program ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            ConsoleError::Topology(_) => Exit::Config,
            _ => Exit::Failure,
        }
    }
}

/// Gives what to print.
///
/// # Errors
/// [`ConsoleError`].
pub fn run(args: &ConsoleArgs) -> Result<String, ConsoleError> {
    let file = group::file(args.topology.as_deref());
    let topology = Topology::load(&file, &args.set)?;
    let Some(http) = topology.master.http else {
        return Err(ConsoleError::NoHttp { file });
    };
    let path = token_file(&file, &topology);
    let token = read(&path, &topology.master.machine)?;
    let address = reachable(http);
    let url = format!("http://{address}/?token={token}");
    Ok(match args.json {
        true => {
            let object = json!({"group": topology.group.as_str(), "url": url, "token_file": path});
            format!("{object}\n")
        }
        false => format!("{url}\n{}", from_afar(address)),
    })
}

/// Under systemd the state is elsewhere than for whoever asks at a terminal.
fn token_file(file: &Path, topology: &Topology) -> PathBuf {
    let own = &topology.master.console_token_file;
    let installed = Topology::load_layout(file).map(|plan| plan.master.console_token_file);
    match installed {
        Ok(installed) if group::is_installed(file) || !own.exists() && installed.exists() => {
            installed
        }
        _ => own.clone(),
    }
}

fn read(path: &Path, machine: &str) -> Result<String, ConsoleError> {
    match fs::read_to_string(path) {
        Ok(token) => Ok(token.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConsoleError::NoToken {
            path: path.to_owned(),
            machine: machine.to_owned(),
        }),
        Err(error) => Err(ConsoleError::Unreadable {
            path: path.to_owned(),
            error,
        }),
    }
}

/// What whoever sits elsewhere has to do first.
fn from_afar(address: SocketAddr) -> String {
    if !address.ip().is_loopback() {
        return String::new();
    }
    let port = address.port();
    format!("From another machine, first: ssh -L {port}:{address} THIS-MACHINE\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(folder: &Path, http: &str) -> ConsoleArgs {
        let file = folder.join("topology.toml");
        let text = format!(
            "group = \"GroupA\"\n[master]\nlisten = \"127.0.0.1:10241\"\nstate_dir = {folder:?}\n\
             {http}"
        );
        fs::write(&file, text).unwrap();
        ConsoleArgs {
            topology: Some(file),
            set: Vec::new(),
            json: false,
        }
    }

    const HTTP: &str = "http = \"0.0.0.0:10341\"\n";

    #[test]
    fn the_address_has_the_token_and_a_way_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("GroupA@127.0.0.1-10241.console-token");
        fs::write(&file, "abc123\n").unwrap();
        let mut args = args(folder.path(), HTTP);
        let text = run(&args).unwrap();
        assert!(text.starts_with("http://127.0.0.1:10341/?token=abc123\n"));
        assert!(text.contains("ssh -L 10341:127.0.0.1:10341"));
        args.json = true;
        let object: serde_json::Value = serde_json::from_str(&run(&args).unwrap()).unwrap();
        assert_eq!(object["url"], "http://127.0.0.1:10341/?token=abc123");
        assert_eq!(object["token_file"], json!(file));
    }

    #[test]
    fn who_cannot_have_it_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&args(folder.path(), "")).unwrap_err().to_string();
        assert!(error.contains("has no master.http"), "{error}");
        let error = run(&args(folder.path(), HTTP)).unwrap_err();
        assert_eq!(error.exit(), Exit::Failure);
        assert!(error.to_string().contains("which is localhost"), "{error}");
        // Whoever is root can read everything, but no folder.
        let file = folder.path().join("GroupA@127.0.0.1-10241.console-token");
        fs::create_dir(&file).unwrap();
        let error = run(&args(folder.path(), HTTP)).unwrap_err().to_string();
        assert!(error.contains("as the user who runs the master"), "{error}");
        let error = run(&args(folder.path(), "htp = 1\n")).unwrap_err();
        assert_eq!(error.exit(), Exit::Config);
    }
}
