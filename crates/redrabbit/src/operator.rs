//! The command as a node of the group, for as long as it needs.

use std::time::Duration;

use ffrpc::{Credentials, Node, NodeConfig, Services, Uplink};
use protocol::{
    NodeName, Secret,
    tls::{Tls, TlsError},
    v1::Role,
};
use tokio::time::timeout;
use topology::Topology;

use crate::group::reachable;

/// A node that offers nothing and asks for little.
pub(crate) struct Operator {
    node: Node,
}

/// The command cannot ask a node for anything. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The group speaks TLS, and the operator has no certificate.
    #[error(
        "the group speaks TLS, and {name} has no certificate: {source}; make one as for any node. \
         Without it: SIGTERM drains a node's own process, SIGHUP has a scene load its script \
         again, and another group's directory can be asked of its own master"
    )]
    NoCertificate {
        /// As whom it would have joined.
        name: NodeName,
        /// What is wrong with it.
        source: Box<TlsError>,
    },
    /// The master lists, and does not let in.
    #[error("the group has not let {name} in within {seconds} s; the log of its master says why")]
    NotLetIn {
        /// As whom it wanted to join.
        name: NodeName,
        /// How long it has tried.
        seconds: u64,
    },
}

/// How long the group may take to let it in. A master that rebuilds its directory
/// takes a lease.
const ADMISSION: Duration = Duration::from_secs(10);

impl Operator {
    /// Joins the group; what it asks for is answered within `call_timeout`, or not.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub(crate) async fn join(
        topology: &Topology,
        secret: Secret,
        call_timeout: Duration,
    ) -> Result<Operator, OperatorError> {
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
            call_timeout,
            build: daemon::build_version().to_owned(),
            ..NodeConfig::default()
        };
        let node = Node::join(config, Services::new());
        if timeout(ADMISSION, node.ready()).await.is_err() {
            return Err(OperatorError::NotLetIn {
                name,
                seconds: ADMISSION.as_secs(),
            });
        }
        Ok(Operator { node })
    }

    /// What asks others.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) async fn leave(&self) {
        self.node.leave().await;
    }
}

/// What it shows, in a group that speaks TLS.
fn certificate(topology: &Topology) -> Result<Option<Tls>, OperatorError> {
    let name = certified_name();
    let Some(files) = topology.security.tls_files(&name) else {
        return Ok(None);
    };
    let tls = Tls::load(files).and_then(|tls| {
        tls.require(&topology.group, &name)?;
        Ok(tls)
    });
    tls.map(Some).map_err(|error| OperatorError::NoCertificate {
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
