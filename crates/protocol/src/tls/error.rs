//! What can be wrong with certificates, told to whoever has to put it right.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{GroupName, NodeName};

/// Why there is no TLS: at a start because of one's own files ([`File`],
/// [`Name`]), at a connection because of the other end or what it thinks of
/// this one. A connection may be tried again: files can be replaced while both
/// ends run.
///
/// [`File`]: TlsError::File
/// [`Name`]: TlsError::Name
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of this node's own files is of no use.
    #[error("`{}` {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A node whose name a certificate cannot carry.
    #[error(
        "`{node}` of the group `{group}` cannot have a certificate: under TLS a role and a \
         group neither begin nor end with `-`, and a group has at most 63 letters and is no number"
    )]
    Name {
        /// The node's group.
        group: GroupName,
        /// The node.
        node: NodeName,
    },
    /// Nobody listens, or nobody can be reached.
    #[error("{server} cannot be reached at {address}: {source}")]
    Unreachable {
        /// The node that was expected there.
        server: NodeName,
        /// Where.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server's certificate is wrong, as this end sees it.
    #[error("the certificate that {address} shows for {server} is refused here: {reason}")]
    Theirs {
        /// The node that was expected there.
        server: NodeName,
        /// Where.
        address: SocketAddr,
        /// What is wrong with it.
        reason: String,
    },
    /// This end's certificate is wrong, as the server sees it.
    #[error(
        "{server} at {address} refuses this node's certificate `{}`: {reason}",
        certificate.display()
    )]
    Ours {
        /// The node that refuses.
        server: NodeName,
        /// Where.
        address: SocketAddr,
        /// The file that was shown.
        certificate: PathBuf,
        /// Its reason.
        reason: String,
    },
    /// It did not come to certificates.
    #[error("no TLS connection to {server} at {address}: {reason}")]
    Handshake {
        /// The node that was expected there.
        server: NodeName,
        /// Where.
        address: SocketAddr,
        /// What went wrong.
        reason: String,
    },
}
