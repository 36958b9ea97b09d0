//! TLS between the nodes of a group.
//!
//! Every node, the master and the slaves among them, has a certificate that is
//! signed by the group's own authority, shows it at both ends of a connection
//! and asks for the other's. A certificate names its node by a DNS subject
//! alternative name made of index, role and group: `0.scene.GroupA` for
//! `scene@0` of `GroupA` ([`certificate_name`]). A client is content only with
//! the node that it expects; a server takes any node of the group, and its
//! handlers find in [`PeerNames`] who may be who. TLS 1.3 only, nothing is
//! resumed.
//!
//! Certificate, key and authority are read again when their files have changed:
//! new connections use the new ones, existing connections stay. What cannot be
//! used is logged, and the ones before it stay. Give a new certificate a name
//! of its own and rename it into place, the key first.
//!
//! # Making certificates
//!
//! The group's authority, once. `authority.key` stays off the machines that run
//! nodes:
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
//!     -days 3650 -subj "/CN=RedRabbit GroupA" \
//!     -keyout authority.key -out authority.pem
//! ```
//!
//! A certificate for a node, here `scene@0` of `GroupA`. Nodes of one machine may
//! share one with several names: `DNS:0.scene.GroupA,DNS:0.gate.GroupA`.
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
//!     -days 90 -subj "/CN=scene@0" \
//!     -addext "basicConstraints=critical,CA:FALSE" \
//!     -addext "subjectAltName=DNS:0.scene.GroupA" \
//!     -CA authority.pem -CAkey authority.key \
//!     -keyout scene-0.key -out scene-0.pem
//! ```
//!
//! What is in a certificate: `openssl x509 -in scene-0.pem -noout -text`.
//!
//! To replace the authority without a gap: give every node both authorities in
//! one file, then every node a certificate of the new one, then the new
//! authority alone.
//!
//! # At both ends
//!
//! ```no_run
//! # use protocol::{GroupName, NodeName, tls::{Tls, TlsFiles}};
//! # async fn ends(files: TlsFiles, group: GroupName, own: NodeName, master: NodeName,
//! #     router: tonic::transport::server::Router, listener: tokio::net::TcpListener,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let tls = Tls::load(files)?;
//! tls.require(&group, &own)?;
//!
//! // A server, whose handlers read `request.extensions().get::<PeerNames>()`.
//! router.serve_with_incoming(tls.incoming(listener)).await?;
//!
//! // A client.
//! let channel = tonic::transport::Endpoint::from_static("http://10.0.0.1:7000")
//!     .connect_with_connector(tls.connector(&group, &master)?)
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod expiry;
mod material;
mod name;
mod plaintext;
mod public;
mod reason;
mod reload;
mod server;

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures_util::Stream;
use tokio::net::TcpListener;

use crate::{GroupName, NodeName};
use material::{Material, NodeFiles};
use reload::Reload;

pub use client::Connector;
pub use error::TlsError;
pub use expiry::{Ends, earliest_end};
pub use name::{PeerNames, certificate_name};
pub use public::PublicTls;
pub use server::TlsConnection;
pub use vocabulary::{CertificateFiles, TlsFiles};

/// A node's certificates, for all its connections. Clones are one.
#[derive(Clone)]
pub struct Tls {
    /// Locked while changed files are read, a millisecond now and then, so that
    /// no two handshakes read them.
    reload: Arc<Mutex<Reload<NodeFiles>>>,
}

impl Tls {
    /// Reads the files and checks them as a peer would.
    ///
    /// # Errors
    /// [`TlsError::File`], which names the file and says what to do.
    pub fn load(files: TlsFiles) -> Result<Tls, TlsError> {
        let required = Vec::new();
        let reload = Reload::read(NodeFiles { files, required })?;
        let reload = Arc::new(Mutex::new(reload));
        expiry::remember(&reload);
        Ok(Tls { reload })
    }

    /// Checks that the certificate is `node`'s, now and whenever it is read
    /// again. A process may ask for several nodes.
    ///
    /// # Errors
    /// [`TlsError::File`] if it is not, [`TlsError::Name`] if no certificate
    /// could be.
    pub fn require(&self, group: &GroupName, node: &NodeName) -> Result<(), TlsError> {
        let name = certificate_name(group, node)?;
        self.locked(|reload| {
            let mut source = reload.source().clone();
            source.required.push(name);
            reload.replace(source)
        })
    }

    /// Other files in the place of those from now on; the same ones are read again at
    /// once. Connections that are there stay.
    ///
    /// # Errors
    /// [`TlsError::File`]: those before stay, and what was read of them.
    pub fn replace(&self, files: TlsFiles) -> Result<(), TlsError> {
        self.locked(|reload| {
            let required = reload.source().required.clone();
            reload.replace(NodeFiles { files, required })
        })
    }

    /// The names in the certificate.
    pub fn names(&self) -> PeerNames {
        self.material().names.clone()
    }

    /// Until when they are good.
    pub fn ends(&self) -> Ends {
        self.material().ends
    }

    /// The connections that come to `listener`, their handshakes done, for
    /// tonic's `serve_with_incoming_shutdown`. Handshakes run beside each other,
    /// 256 at most, each for 5 seconds at most; one that fails is logged and
    /// counted in `redrabbit_tls_handshakes_failed_total{reason}`. Where more
    /// come, the oldest ends (`crowded_out`), so that a newcomer always gets in:
    /// many at once shorten the time that each has, and whoever was too slow
    /// connects again.
    pub fn incoming(
        &self,
        listener: TcpListener,
    ) -> impl Stream<Item = io::Result<TlsConnection>> + Send + use<> {
        server::incoming(self.clone(), listener)
    }

    /// What connects a tonic `Endpoint` to the node `server`, and to no other.
    /// Its errors are [`TlsError`]s.
    ///
    /// # Errors
    /// [`TlsError::Name`] if the server's name fits no certificate.
    pub fn connector(&self, group: &GroupName, server: &NodeName) -> Result<Connector, TlsError> {
        Connector::new(self.clone(), group, server)
    }

    fn files(&self) -> TlsFiles {
        self.locked(|reload| reload.source().files.clone())
    }

    /// What a handshake that begins now uses.
    fn material(&self) -> Arc<Material> {
        self.locked(|reload| reload.material(Instant::now()))
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Reload<NodeFiles>) -> T) -> T {
        // A panic between two states is not possible: the material is replaced
        // whole.
        work(&mut self.reload.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where the files are; never what is in them.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files()).finish()
    }
}
