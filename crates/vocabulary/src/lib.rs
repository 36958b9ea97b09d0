//! The words that a group's file and its sockets have in common: names, the secret,
//! where certificates are, what is exported.
//!
//! `protocol` says them to others and `topology` reads them from a file. They are by
//! themselves so that a program that only reads the file, such as the one that systemd
//! runs at every boot, has no network in it.
//!
//! Nothing here reads or sends anything.

mod exports;
mod internal;
mod name;
mod secret;
mod tls_files;

pub use exports::{Export, Exports};
pub use internal::is_internal;
pub use name::{GroupName, NameError, NodeName, SessionId};
pub use secret::Secret;
pub use tls_files::{CertificateFiles, TlsFiles};
