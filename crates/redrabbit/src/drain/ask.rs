//! What `drain` asks a node.

use protocol::{
    ErrorKind, NodeName,
    method::NODE_DRAIN,
    v1::{DrainRequest, DrainResponse},
};

use super::{DrainError, target::Target};
use crate::operator::Operator;

/// Asks the target to drain.
pub(super) async fn ask(
    operator: &Operator,
    target: &Target,
    to: Option<&NodeName>,
) -> Result<DrainResponse, DrainError> {
    let request = DrainRequest {
        to_scene: to.map(NodeName::to_string).unwrap_or_default(),
    };
    let asked = operator
        .node()
        .call_message(target.id, NODE_DRAIN, &request);
    let name = || target.name.clone();
    asked.await.map_err(|source| match source.kind {
        ErrorKind::Handler => DrainError::Refused {
            name: name(),
            message: source.message,
        },
        ErrorKind::Unimplemented => DrainError::Refused {
            name: name(),
            message: "its program does not know how; send it a SIGTERM".to_owned(),
        },
        _ => DrainError::Unanswered {
            name: name(),
            source,
        },
    })
}

/// What the directory says that the target carries; `None`: it is gone.
pub(super) fn load_of(operator: &Operator, target: &Target) -> Option<u64> {
    let node = operator.node();
    let (before, record) = (node.id(), node.record(target.id));
    match record {
        Some(record) => Some(record.load),
        // Whoever has lost the group knows of nobody.
        None if before.is_none() || node.id() != before => Some(0),
        None => None,
    }
}
