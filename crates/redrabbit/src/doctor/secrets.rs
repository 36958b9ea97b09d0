//! Who may read what proves that a node is one.

mod account;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use topology::Plan;

use super::{Finding, Here, finding::counted};
use account::Account;

const CHECK: &str = "secrets";

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let files = files(here);
    // Under systemd the daemons are a user of their own.
    let account = here.place.systemd.then(Account::of_daemons).flatten();
    let mut findings: Vec<Finding> = files
        .iter()
        .filter_map(|file| look(file, account.as_ref()))
        .collect();
    if findings.is_empty() && !files.is_empty() {
        let text = format!(
            "{} with secrets, read by no others",
            counted(files.len(), "file")
        );
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// The files that hold secrets.
fn files(here: &Here) -> Vec<PathBuf> {
    let file = &here.place.file;
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut files = in_topology(file, &text);
    for node in &here.nodes {
        match &here.plan {
            Plan::Group(topology) => {
                files.extend(topology.security.tls_files(node).map(|files| files.key));
                let gate = topology.gates.get(node);
                let shown = gate.and_then(|gate| gate.certificate.clone());
                files.extend(shown.map(|files| files.key));
            }
            Plan::Bridges(plan) => {
                let joined = plan.groups.values();
                let keys = joined.filter_map(|group| group.security.tls_files(node));
                files.extend(keys.map(|files| files.key));
            }
        }
    }
    files.sort();
    files.dedup();
    files
}

/// The file itself if a secret stands in it, and the files of secrets that it names.
fn in_topology(file: &Path, text: &str) -> Vec<PathBuf> {
    // It has been loaded, so that it is TOML.
    let Ok(table) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let groups = table.get("groups").and_then(toml::Value::as_array);
    let groups = groups.into_iter().flatten();
    let sections = table.get("security").into_iter().chain(groups);
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for section in sections.filter_map(toml::Value::as_table) {
        if section.contains_key("secret") {
            files.push(file.to_owned());
        }
        let named = section.get("secret_file").and_then(toml::Value::as_str);
        files.extend(named.map(|path| folder.join(path)));
    }
    files
}

fn look(file: &Path, account: Option<&Account>) -> Option<Finding> {
    let shown = file.display();
    let found = match fs::metadata(file) {
        Ok(found) => found,
        Err(error) => {
            let text = format!("{shown} cannot be looked at: {error}");
            return Some(Finding::fail(CHECK, text, "put it there, or ask as root"));
        }
    };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let text = format!("anybody on this machine may read or change {shown} (mode {mode:04o})");
        return Some(Finding::fail(CHECK, text, format!("`chmod o= {shown}`")));
    }
    let account = account?;
    if account.reads(found.uid(), found.gid(), mode) {
        return None;
    }
    let text = format!("{shown} cannot be read by the user redrabbit, as which the daemons run");
    let fix = format!("`chown root:redrabbit {shown} && chmod 640 {shown}`");
    Some(Finding::fail(CHECK, text, fix))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::{super::Status, *};

    #[test]
    fn the_files_of_secrets_are_those_that_the_topology_names_and_it_itself() {
        let file = Path::new("/etc/redrabbit/topology.toml");
        let found = |text| in_topology(file, text);
        assert_eq!(found("[security]\nsecret = \"x\""), [file]);
        assert_eq!(
            found("[[groups]]\nsecret_file = \"a\"\n[[groups]]\nsecret_file = \"/b\""),
            [Path::new("/etc/redrabbit/a"), Path::new("/b")]
        );
        assert!(found("group = \"GroupA\"").is_empty());
    }

    #[test]
    fn a_secret_for_everybody_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "sesame").unwrap();
        let at = |mode| {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            look(&file, None).map(|found| (found.status, found.text))
        };
        assert_eq!(at(0o640), None);
        let (status, text) = at(0o644).unwrap();
        assert_eq!(status, Status::Fail);
        assert!(text.ends_with("(mode 0644)"), "{text}");
    }
}
