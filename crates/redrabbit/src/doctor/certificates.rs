//! Whether the certificates of this machine's nodes are of use, and for how long.

use std::{fs, path::Path, sync::Arc, time::Duration};

use protocol::{
    GroupName, NodeName,
    tls::{Tls, TlsFiles},
};
use rustls::{
    CertificateError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
};
use topology::Plan;

use super::{Finding, Here, finding::counted};
use crate::time;

const CHECK: &str = "certificates";

const DAY: u64 = 86_400;

/// Days before the end at which somebody should know.
const SOON: u64 = 30;

/// Days past which no certificate is good.
const NEVER: u64 = 365 * 500;

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut good = Vec::new();
    for (node, group, files) in files(here) {
        match look(&node, group, &files) {
            Ok(days) => good.push(days),
            Err(finding) => findings.push(finding),
        }
    }
    if let Some(least) = good.iter().min() {
        let count = counted(good.len(), "certificate");
        let text = format!("{count} good, for {least} days at least");
        findings.insert(0, Finding::ok(CHECK, text));
    }
    if findings.is_empty()
        && here
            .group()
            .is_some_and(|group| !group.security.speaks_tls())
    {
        findings.push(Finding::ok(
            CHECK,
            "the group speaks no TLS: there are none",
        ));
    }
    findings
}

/// Those of this machine's nodes.
fn files(here: &Here) -> Vec<(NodeName, &GroupName, TlsFiles)> {
    let mut all = Vec::new();
    for node in &here.nodes {
        match &here.plan {
            Plan::Group(topology) => {
                let files = topology.security.tls_files(node);
                all.extend(files.map(|files| (node.clone(), &topology.group, files)));
            }
            Plan::Bridges(plan) => {
                for (group, joined) in &plan.groups {
                    let files = joined.security.tls_files(node);
                    all.extend(files.map(|files| (node.clone(), group, files)));
                }
            }
        }
    }
    all
}

/// For how many days it is good.
fn look(node: &NodeName, group: &GroupName, files: &TlsFiles) -> Result<u64, Finding> {
    let checked = Tls::load(files.clone()).and_then(|tls| tls.require(group, node));
    if let Err(error) = checked {
        let text = error.to_string();
        let (text, fix) = text
            .rsplit_once([';', ':'])
            .unwrap_or((&text, "have the authority sign another"));
        let text = format!("{node} cannot speak TLS: {text}");
        return Err(Finding::fail(CHECK, text, fix.trim()));
    }
    // What has just been loaded is there and has an end.
    let Some(end) = end(&files.authority, &files.certificate) else {
        return Ok(SOON);
    };
    let now = UnixTime::now().as_secs();
    let days = end.saturating_sub(now) / DAY;
    if days >= SOON {
        return Ok(days);
    }
    let date = time::to_date(i64::try_from(end).unwrap_or_default() * 1_000_000);
    let text = format!(
        "{} of {node} expires in {}, on {date}",
        files.certificate.display(),
        counted(days as usize, "day")
    );
    let fix = "have the authority sign another and rename it into place: nothing is restarted";
    Err(Finding::warn(CHECK, text, fix))
}

/// When it ends, in seconds since 1970: what is checked for a day on which no certificate
/// is good says so.
fn end(authority: &Path, certificate: &Path) -> Option<u64> {
    let read = |path: &Path| -> Option<Vec<CertificateDer<'static>>> {
        let text = fs::read(path).ok()?;
        CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .ok()
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(read(authority)?);
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().ok()?;
    let chain = read(certificate)?;
    let (leaf, between) = chain.split_first()?;
    let never = Duration::from_secs(UnixTime::now().as_secs() + NEVER * DAY);
    let never = UnixTime::since_unix_epoch(never);
    match verifier.verify_client_cert(leaf, between, never) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after,
            ..
        })) => Some(not_after.as_secs()),
        _ => None,
    }
}
