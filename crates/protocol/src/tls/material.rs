//! Certificates and keys, read and checked.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject},
    },
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use super::{Ends, PeerNames, TlsError, TlsFiles, reason, reload};

/// What both ends of a handshake need, from one reading of the files.
pub(super) struct Material {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    /// Those of the node's own certificate.
    pub(super) names: PeerNames,
    /// Of the node's own and the authority's.
    pub(super) ends: Ends,
}

/// A node's files, and the names that its certificate must carry.
#[derive(Clone)]
pub(super) struct NodeFiles {
    pub(super) files: TlsFiles,
    pub(super) required: Vec<String>,
}

impl reload::Source for NodeFiles {
    type Material = Material;

    fn paths(&self) -> Vec<&Path> {
        let TlsFiles {
            authority,
            certificate,
            key,
        } = &self.files;
        vec![authority, certificate, key]
    }

    fn read(&self) -> Result<Material, TlsError> {
        Material::read(&self.files, &self.required)
    }
}

impl reload::Material for Material {
    fn names(&self) -> String {
        self.names.to_string()
    }

    fn earliest_end(&self) -> Option<u64> {
        self.ends.earliest()
    }
}

impl Material {
    /// Reads `files` and refuses whatever no peer would accept, or that lacks
    /// one of the `required` names.
    fn read(files: &TlsFiles, required: &[String]) -> Result<Material, TlsError> {
        let authority = certificates(&files.authority)?;
        let chain = certificates(&files.certificate)?;
        let key = private_key(&files.key)?;
        let ends = Ends::of(&chain, &authority);
        let provider = Arc::new(ring::default_provider());

        let mut roots = RootCertStore::empty();
        for certificate in authority {
            roots.add(certificate).map_err(|_| {
                let problem = "holds a certificate that cannot be parsed: give the authority's own";
                wrong(&files.authority, problem)
            })?;
        }
        let roots = Arc::new(roots);
        let peers =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(|error| wrong(&files.authority, format!("cannot be used: {error}")))?;

        check_chain(files, &chain, &*peers)?;
        let names = PeerNames::of(&chain[0]);
        check_names(&files.certificate, &names, required)?;
        let client = client_config(&provider, roots, chain.clone(), key.clone_key())
            .map_err(|error| wrong_key(&files.certificate, &files.key, &error))?;
        let server = server_config(&provider, peers, chain, key)
            .map_err(|error| wrong_key(&files.certificate, &files.key, &error))?;
        Ok(Material {
            server: Arc::new(server),
            client: Arc::new(client),
            names,
            ends,
        })
    }
}

/// TLS 1.3 and HTTP/2 only. Nothing is resumed: each connection checks both
/// certificates anew, so that one that has expired, or an authority that was
/// taken out, ends with the connections that it had.
fn server_config(
    provider: &Arc<CryptoProvider>,
    peers: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(peers)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// One's own certificate, looked at as a peer with the same authority would.
fn check_chain(
    files: &TlsFiles,
    chain: &[CertificateDer<'_>],
    peers: &dyn ClientCertVerifier,
) -> Result<(), TlsError> {
    let now = UnixTime::now();
    let Err(error) = peers.verify_client_cert(&chain[0], &chain[1..], now) else {
        return Ok(());
    };
    let problem = match &error {
        rustls::Error::InvalidCertificate(error) => match reason::certificate(error, now) {
            ("unknown_authority", _) => format!(
                "is not signed by the authority in `{}`: \
                 give the authority that signed it, or have this one sign another",
                files.authority.display()
            ),
            (_, words) => format!("is of no use: {words}; have the authority sign another"),
        },
        error => format!("is of no use: {error}"),
    };
    Err(wrong(&files.certificate, problem))
}

fn check_names(path: &Path, names: &PeerNames, required: &[String]) -> Result<(), TlsError> {
    let problem = if names.0.is_empty() {
        "names no node: have it signed with a DNS subjectAltName, \
         `DNS:0.scene.GroupA` for scene@0 of GroupA"
            .to_owned()
    } else if let Some(missing) = required.iter().find(|name| !names.contains(name)) {
        format!(
            "is the certificate of {names}, not of `{missing}`: give this node's own, \
             with `DNS:{missing}` as its subjectAltName"
        )
    } else {
        return Ok(());
    };
    Err(wrong(path, problem))
}

/// At least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong(
            path,
            "holds no certificate: expected PEM text, `-----BEGIN CERTIFICATE-----`",
        )),
        Err(error) => Err(wrong(path, format!("is not PEM text: {error}"))),
    }
}

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => wrong(
            path,
            "holds no private key: expected PEM text, `-----BEGIN PRIVATE KEY-----`, \
             without a passphrase",
        ),
        error => wrong(path, format!("is not PEM text: {error}")),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")))
}

pub(super) fn wrong_key(certificate: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    let problem = match error {
        rustls::Error::InconsistentKeys(_) => format!(
            "is not the key of the certificate `{}`: give two that belong together",
            certificate.display()
        ),
        error => format!("is of no use: {error}"),
    };
    wrong(key, problem)
}

fn wrong(path: &Path, problem: impl Into<String>) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
