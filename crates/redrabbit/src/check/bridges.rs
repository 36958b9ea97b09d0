//! What is said of a bridge's file.

use std::fmt::Write;

use protocol::{GroupName, tls::Tls};
use topology::{BridgePlan, JoinedGroup};

use super::optional;
use crate::{names::listed, table::Table};

/// All of it, for someone on `machine`.
pub(super) fn describe(plan: &BridgePlan, machine: &str) -> String {
    let mut text = summary(plan);
    for note in notes(plan, machine) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nnote: {note}");
    }
    text
}

/// The bridges and where they are, the groups and where they are joined.
fn summary(plan: &BridgePlan) -> String {
    let mut bridges = Table::new(["NAME", "MACHINE", "HTTP"]);
    for (name, bridge) in &plan.bridges {
        bridges.row([
            name.to_string(),
            bridge.machine.clone(),
            optional(bridge.http),
        ]);
    }
    let mut groups = Table::new(["JOINS", "MASTER", "SECRET", "ENCRYPTION"]);
    for (name, joined) in &plan.groups {
        groups.row([
            name.to_string(),
            joined.master.to_string(),
            secret(joined).to_owned(),
            encryption(joined).to_owned(),
        ]);
    }
    let count = match plan.bridges.len() {
        1 => "1 bridge".to_owned(),
        count => format!("{count} bridges"),
    };
    let between = listed(plan.groups.keys().map(GroupName::as_str));
    format!("the file is good: {count} between {between}\n\n{bridges}\n{groups}")
}

fn secret(joined: &JoinedGroup) -> &'static str {
    match joined.security.secret.is_empty() {
        true => "",
        false => "given",
    }
}

fn encryption(joined: &JoinedGroup) -> &'static str {
    let security = &joined.security;
    match (security.speaks_tls(), security.allow_plaintext) {
        (true, _) => "TLS",
        (false, true) => "none: plaintext is allowed",
        (false, false) => "",
    }
}

/// What the bridges of `machine` could not start with, a line each.
pub(super) fn notes(plan: &BridgePlan, machine: &str) -> Vec<String> {
    let mut notes = Vec::new();
    for name in plan.bridges_on(machine) {
        for (group, joined) in &plan.groups {
            let Some(files) = joined.security.tls_files(&name) else {
                continue;
            };
            if let Err(error) = Tls::load(files).and_then(|tls| tls.require(group, &name)) {
                notes.push(format!("{name} has no TLS for {group}: {error}"));
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a bridge's file, and what that says.
    fn plan() -> (tempfile::TempDir, BridgePlan) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bridge.toml");
        std::fs::write(folder.path().join("ca.pem"), "").unwrap();
        let text = r#"
            [bridges."bridge@0"]
            machine = "edge-1"
            http = "127.0.0.1:10361"
            [bridges."bridge@1"]
            machine = "edge-2"
            [[groups]]
            name = "GroupA"
            master = "127.0.0.1:10241"
            [[groups]]
            name = "GroupB"
            master = "10.0.0.2:10241"
            secret = "long and random"
            authority = "ca.pem"
            certificate = "{name}.pem"
            key = "{name}.key"
            [[groups]]
            name = "GroupC"
            master = "10.0.0.3:10241"
            secret = "long and random"
            allow_plaintext = true
        "#;
        std::fs::write(&file, text).unwrap();
        let plan = BridgePlan::load(&file, &[]).unwrap();
        (folder, plan)
    }

    #[test]
    fn bridges_and_the_groups_that_they_join_are_listed() {
        let (_folder, plan) = plan();
        assert_eq!(
            describe(&plan, "edge-9"),
            "the file is good: 2 bridges between GroupA, GroupB and GroupC\n\
             \n\
             NAME      MACHINE  HTTP\n\
             bridge@0  edge-1   127.0.0.1:10361\n\
             bridge@1  edge-2   -\n\
             \n\
             JOINS   MASTER           SECRET  ENCRYPTION\n\
             GroupA  127.0.0.1:10241  -       -\n\
             GroupB  10.0.0.2:10241   given   TLS\n\
             GroupC  10.0.0.3:10241   given   none: plaintext is allowed\n"
        );
    }

    #[test]
    fn a_bridge_of_this_machine_without_its_certificate_is_noted() {
        let (_folder, plan) = plan();
        let notes = notes(&plan, "edge-2");
        assert_eq!(notes.len(), 1, "{notes:?}");
        let expected = "bridge@1 has no TLS for GroupB: ";
        assert!(notes[0].starts_with(expected), "{notes:?}");
    }
}
