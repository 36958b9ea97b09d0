//! What crosses a socket.
//!
//! - [`v1`]: the messages of `proto/redrabbit/v1`, as prost generates them, and
//!   the service that keeps the directory.
//! - [`envelope`], [`batch`]: the data plane's hot encoding, written and read by
//!   hand because brokers look at four fields of it and copy the rest. A test
//!   holds it equal to what prost makes of the same message.
//! - [`link`]: the two ends of a link between a node and a broker, over gRPC or
//!   in memory.
//! - [`client`]: the framing that external clients speak.
//! - ids, names, errors and the words for why a connection ended.
//!
//! Nothing here decides anything: who routes where, who holds which session and
//! who is alive is said elsewhere. Whatever arrives is taken as hostile: every
//! reader returns an error and allocates nothing that the sender has merely
//! claimed.

pub mod batch;
pub mod client;
mod close;
pub mod envelope;
mod error;
mod exports;
mod id;
pub mod link;
pub mod method;
pub mod tls;
pub mod token;
mod vitals;

/// The generated messages of `proto/redrabbit/v1`, documented there.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("redrabbit.v1");
}

pub use close::close_reason_name;
pub use envelope::Envelope;
pub use error::{CallError, ErrorKind};
pub use id::{Login, NodeId};
pub use vitals::VitalsSource;
pub use vocabulary::{GroupName, NameError, NodeName, Secret, SessionId};
