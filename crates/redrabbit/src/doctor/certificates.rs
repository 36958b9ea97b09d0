//! Whether the certificates of this machine's nodes are of use, and for how long.

use std::{collections::BTreeMap, path::Path};

use protocol::{
    GroupName, NodeName,
    tls::{CertificateFiles, Ends, PublicTls, Tls, TlsError, TlsFiles},
};
use topology::Plan;

use super::{Finding, Here, finding::counted};
use crate::time::{self, Micros};

const CHECK: &str = "certificates";

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// Days before the end at which somebody should know.
const SOON: i64 = 30;

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut good = Vec::new();
    let mut authorities = BTreeMap::new();
    for (node, group, files) in files(here) {
        let ends = match look(&node, group, &files) {
            Ok(ends) => ends,
            Err(error) => {
                findings.push(useless(&node, &error));
                continue;
            }
        };
        authorities.extend(ends.authority.map(|end| (files.authority, end)));
        match ends.certificate.map(micros) {
            Some(end) if days_until(end) < SOON => {
                findings.push(own_ends(&node, &files.certificate, end));
            }
            // What has just been loaded is good, whether it can be told until when or not.
            end => good.push(end.map_or(SOON, days_until)),
        }
    }
    for (gate, files) in public_files(here) {
        match PublicTls::load(files.clone()).map(|tls| tls.ends().certificate.map(micros)) {
            Ok(Some(end)) if days_until(end) < SOON => {
                findings.push(public_ends(&gate, &files.certificate, end));
            }
            Ok(end) => good.push(end.map_or(SOON, days_until)),
            Err(error) => findings.push(useless(&gate, &error)),
        }
    }
    let authorities = authorities.into_iter();
    findings.extend(authorities.filter_map(|(file, end)| authority_ends(&file, micros(end))));
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

/// What gates of this machine show their clients.
fn public_files(here: &Here) -> Vec<(NodeName, CertificateFiles)> {
    let Plan::Group(topology) = &here.plan else {
        return Vec::new();
    };
    let gates = here.nodes.iter().filter_map(|node| {
        let files = topology.gates.get(node)?.certificate.clone()?;
        Some((node.clone(), files))
    });
    gates.collect()
}

fn look(node: &NodeName, group: &GroupName, files: &TlsFiles) -> Result<Ends, TlsError> {
    let tls = Tls::load(files.clone())?;
    tls.require(group, node)?;
    Ok(tls.ends())
}

fn useless(node: &NodeName, error: &TlsError) -> Finding {
    let text = error.to_string();
    let (text, fix) = text
        .rsplit_once([';', ':'])
        .unwrap_or((&text, "have the authority sign another"));
    let text = format!("{node} cannot speak TLS: {text}");
    Finding::fail(CHECK, text, fix.trim())
}

fn own_ends(node: &NodeName, certificate: &Path, end: Micros) -> Finding {
    let text = format!("{} of {node} {}", certificate.display(), ending(end));
    let fix = "have the authority sign another and rename it into place: nothing is restarted";
    Finding::warn(CHECK, text, fix)
}

fn public_ends(gate: &NodeName, certificate: &Path, end: Micros) -> Finding {
    let text = format!(
        "{}, which {gate} shows clients, {}",
        certificate.display(),
        ending(end)
    );
    let fix = "get another one and rename it into place, the key first: nothing is restarted";
    Finding::warn(CHECK, text, fix)
}

/// Daemons go by what the authority has signed, whether it has ended itself or not; other
/// programs that join the group may not.
fn authority_ends(file: &Path, end: Micros) -> Option<Finding> {
    if days_until(end) >= SOON {
        return None;
    }
    let text = format!("{}, the authority, {}", file.display(), ending(end));
    let fix = "make another authority: both in that file everywhere, then a certificate of the \
               new one for every node, then the old one out of the file";
    Some(Finding::warn(CHECK, text, fix))
}

/// "expires in 2 days, on 2026-01-02".
fn ending(end: Micros) -> String {
    let date = time::to_date(end);
    match usize::try_from(days_until(end)) {
        Ok(days) => format!("expires in {}, on {date}", counted(days, "day")),
        Err(_) => format!("expired on {date}"),
    }
}

/// Whole days, cut off; below 0 if it is over.
fn days_until(end: Micros) -> i64 {
    (end - time::now()).div_euclid(DAY)
}

fn micros(seconds: u64) -> Micros {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(SECOND)
}
