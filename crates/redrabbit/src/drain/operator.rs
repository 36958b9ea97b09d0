//! The command as a node of the group, for as long as it needs.

use std::time::Duration;

use ffrpc::{Credentials, Node, NodeConfig, Services, Uplink};
use protocol::{
    ErrorKind, NodeName, Secret,
    method::NODE_DRAIN,
    tls::Tls,
    v1::{DrainRequest, DrainResponse, Role},
};
use tokio::time::timeout;
use topology::Topology;

use super::{DrainError, target::Target};
use crate::group::reachable;

/// A node that offers nothing and asks for little.
pub(super) struct Operator {
    node: Node,
}

/// How long the group may take to let it in. A master that rebuilds its directory
/// takes a lease.
const ADMISSION: Duration = Duration::from_secs(10);

impl Operator {
    pub(super) async fn join(topology: &Topology, secret: Secret) -> Result<Operator, DrainError> {
        let tls = certificate(topology)?;
        let name = match tls {
            Some(_) => certified_name(),
            None => free_name(),
        };
        let credentials = Credentials::new(secret, tls, &topology.group);
        let config = NodeConfig {
            name: name.clone(),
            role: Role::Service,
            uplink: Uplink::Remote(reachable(topology.master.listen)),
            secret: credentials.secret,
            encryption: credentials.encryption,
            call_timeout: topology.limits.call_timeout,
            build: daemon::build_version().to_owned(),
            ..NodeConfig::default()
        };
        let node = Node::join(config, Services::new());
        if timeout(ADMISSION, node.ready()).await.is_err() {
            return Err(DrainError::NotLetIn {
                name,
                seconds: ADMISSION.as_secs(),
            });
        }
        Ok(Operator { node })
    }

    /// Asks the target to drain.
    pub(super) async fn ask(
        &self,
        target: &Target,
        to: Option<&NodeName>,
    ) -> Result<DrainResponse, DrainError> {
        let request = DrainRequest {
            to_scene: to.map(NodeName::to_string).unwrap_or_default(),
        };
        let asked = self.node.call_message(target.id, NODE_DRAIN, &request);
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
    pub(super) fn load_of(&self, target: &Target) -> Option<u64> {
        let (before, record) = (self.node.id(), self.node.record(target.id));
        match record {
            Some(record) => Some(record.load),
            // Whoever has lost the group knows of nobody.
            None if before.is_none() || self.node.id() != before => Some(0),
            None => None,
        }
    }

    pub(super) async fn leave(&self) {
        self.node.leave().await;
    }
}

/// What it shows, in a group that speaks TLS.
fn certificate(topology: &Topology) -> Result<Option<Tls>, DrainError> {
    let name = certified_name();
    let Some(files) = topology.security.tls_files(&name) else {
        return Ok(None);
    };
    let tls = Tls::load(files).and_then(|tls| {
        tls.require(&topology.group, &name)?;
        Ok(tls)
    });
    tls.map(Some).map_err(|error| DrainError::NoCertificate {
        name,
        source: Box::new(error),
    })
}

/// The name in the certificate of operators. One of them is in the group at a time.
fn certified_name() -> NodeName {
    "operator@0".parse().expect("the literal is a name")
}

/// A name that no other operator has, as good as surely.
fn free_name() -> NodeName {
    let name = format!("operator@{}", rand::random::<u32>());
    name.parse().expect("a number makes a name")
}
