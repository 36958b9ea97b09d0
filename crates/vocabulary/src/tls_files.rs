//! Where certificates are.

use std::path::PathBuf;

/// Where a certificate for clients is, and its key. Each file is PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate; behind it, those between it and the authority.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// Where a node's certificates are. Each file is PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the group's own authority. While an authority is
    /// replaced by another: both, one after the other.
    pub authority: PathBuf,
    /// The node's certificate; behind it, those between it and the authority,
    /// if there are any.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}
