//! What ends a link.

use protocol::{NodeId, envelope::WireError, link::MAX_BATCH_BYTES};

/// What a node did that ends its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It sent what is not a batch.
    #[error("node {node} sent a batch that cannot be read: {error}")]
    Malformed {
        /// Whose link it is.
        node: NodeId,
        /// What is wrong.
        error: WireError,
    },
    /// It sent in another node's name.
    #[error("node {node} sent in the name of node {claimed}")]
    ForgedSource {
        /// Whose link it is.
        node: NodeId,
        /// Whose name it used.
        claimed: NodeId,
    },
    /// It sent more in one batch than a reader takes.
    #[error("node {node} sent a batch of more than {MAX_BATCH_BYTES} bytes")]
    BatchTooLarge {
        /// Whose link it is.
        node: NodeId,
    },
}

impl LinkFault {
    /// The label of `redrabbit_broker_link_faults_total`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            LinkFault::Malformed { .. } => "malformed",
            LinkFault::ForgedSource { .. } => "forged_source",
            LinkFault::BatchTooLarge { .. } => "batch_too_large",
        }
    }
}
