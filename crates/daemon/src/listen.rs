//! Opening a listening socket, and saying what to do when that fails.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket};

/// Where the topology says that a node listens: what an error message needs so
/// that its reader can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenSite {
    /// Who listens: `gate@0`.
    pub node: String,
    /// The key that says where: `gates.gate@0.tcp`.
    pub key: String,
    /// The file that has the key.
    pub file: PathBuf,
}

/// A listening socket could not be opened. The operator has to act: the
/// message says how.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot listen on {address}: {}", site.node, advice(source, *address, site))]
pub struct BindError {
    /// Whose socket it would be.
    pub site: ListenSite,
    /// Where it would listen.
    pub address: SocketAddr,
    /// What the system said.
    source: io::Error,
}

/// Connections that may wait to be accepted. The system caps it by
/// `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

impl ListenSite {
    /// Where `key` of `file` says that `node` listens.
    pub fn new(node: impl fmt::Display, key: impl Into<String>, file: &Path) -> ListenSite {
        ListenSite {
            node: node.to_string(),
            key: key.into(),
            file: file.to_owned(),
        }
    }
}

/// Listens on `address`. Port 0 takes any free port; ask the listener which.
/// Must be called within a tokio runtime.
///
/// # Errors
/// [`BindError`], whose message names the node, the address and what to do.
pub fn bind(address: SocketAddr, site: &ListenSite) -> Result<TcpListener, BindError> {
    listen(address).map_err(|source| BindError {
        site: site.clone(),
        address,
        source,
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the run before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What happened and what to do about it.
fn advice(error: &io::Error, address: SocketAddr, site: &ListenSite) -> String {
    let change = format!("change {} in {}", site.key, site.file.display());
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another process listens there; stop it, or {change}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; {change}", address.ip())
        }
        io::ErrorKind::PermissionDenied => format!(
            "port {} needs a right that this user lacks; \
             grant CAP_NET_BIND_SERVICE, or {change}",
            address.port()
        ),
        _ => format!("{error}; to listen elsewhere, {change}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> ListenSite {
        ListenSite::new("gate@0", "gates.gate@0.tcp", Path::new("local.toml"))
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_its_key_and_file() {
        let any = "127.0.0.1:0".parse().unwrap();
        let first = bind(any, &site()).unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(taken, &site()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "gate@0 cannot listen on {taken}: another process listens there; \
                 stop it, or change gates.gate@0.tcp in local.toml"
            )
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_said_to_be_one() {
        let address = "203.0.113.7:10242".parse().unwrap();
        let error = bind(address, &site()).unwrap_err().to_string();
        assert!(error.contains("no address 203.0.113.7; change"), "{error}");
    }
}
