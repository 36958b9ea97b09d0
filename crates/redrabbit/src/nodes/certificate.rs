//! Which certificate to show a master that speaks TLS.

use protocol::{
    NodeName,
    tls::{Connector, Tls, TlsError},
};
use topology::{Topology, this_machine};

use super::NodesError;

/// What connects to the master of a group that speaks TLS; nothing for one that
/// does not. An operator has no certificate of his own: that of any node will
/// do, and those that run on this machine are likely to be here.
///
/// # Errors
/// [`NodesError::NoCertificate`], with what is wrong with the likeliest.
pub(super) fn connector(topology: &Topology) -> Result<Option<Connector>, NodesError> {
    let mut likeliest = None;
    for name in candidates(topology) {
        match certificate(topology, &name) {
            Ok(Some(tls)) => {
                return tls
                    .connector(&topology.group, &topology.master.name)
                    .map(Some)
                    .map_err(no_certificate);
            }
            Ok(None) => return Ok(None),
            Err(error) => likeliest = likeliest.or(Some(error)),
        }
    }
    likeliest.map_or(Ok(None), |error| Err(no_certificate(error)))
}

/// Every node, those of this machine first.
fn candidates(topology: &Topology) -> impl Iterator<Item = NodeName> {
    let here = topology.roles_on(&this_machine());
    let elsewhere = std::iter::once(&topology.master.name)
        .chain(topology.slaves.keys())
        .chain(topology.scenes.keys())
        .chain(topology.gates.keys());
    here.into_iter().chain(elsewhere.cloned())
}

fn certificate(topology: &Topology, name: &NodeName) -> Result<Option<Tls>, TlsError> {
    let Some(files) = topology.security.tls_files(name) else {
        return Ok(None);
    };
    let tls = Tls::load(files)?;
    tls.require(&topology.group, name)?;
    Ok(Some(tls))
}

fn no_certificate(error: TlsError) -> NodesError {
    NodesError::NoCertificate {
        source: Box::new(error),
    }
}
