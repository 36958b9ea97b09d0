//! Whether systemd runs the nodes that it should, and no others.

use std::{collections::BTreeSet, ffi::OsStr};

use generator::{Files, TARGET};
use protocol::NodeName;

use super::{Finding, Here, finding::counted, here::Place, processes, program};

const CHECK: &str = "units";

/// What the generator complains about.
pub(super) fn complaints(place: &Place) -> Vec<Finding> {
    if !place.systemd {
        return Vec::new();
    }
    let complaints = Files::read(&place.etc).complaints().into_iter();
    let findings = complaints.map(|complaint| {
        let fix =
            "put it right, then `systemctl daemon-reload && systemctl start redrabbit.target`";
        Finding::fail(CHECK, complaint.what, fix)
    });
    findings.collect()
}

pub(super) fn check(here: &Here) -> Vec<Finding> {
    if !here.place.systemd {
        return without_systemd(here);
    }
    let mut findings = complaints(&here.place);
    let units = Files::read(&here.place.etc).units();
    let wanted: Vec<String> = units.iter().map(generator::Unit::name).collect();
    let Some(states) = states(&wanted) else {
        let text = "systemd does not answer";
        return vec![Finding::fail(
            CHECK,
            text,
            "`systemctl status` may say more",
        )];
    };
    let pairs: Vec<(&str, &str)> = wanted
        .iter()
        .map(String::as_str)
        .zip(states.iter().map(String::as_str))
        .collect();
    findings.extend(judge(&pairs));
    findings.extend(left_over(&wanted, &active()));
    findings.extend(enabled());
    findings
}

/// Where `redrabbit up` runs the nodes, or nothing does yet.
fn without_systemd(here: &Here) -> Vec<Finding> {
    let is_missing = |node: &&NodeName| !here.runs(node);
    let missing: Vec<&NodeName> = here.nodes.iter().filter(is_missing).collect();
    if here.processes.is_empty() || missing.is_empty() || !processes::all_are_seen() {
        let text = "systemd does not run these nodes: `redrabbit up` does";
        return vec![Finding::ok(CHECK, text)];
    }
    let findings = missing.into_iter().map(|node| {
        let text = format!("{node} does not run here, and others of the file do");
        let fix = "what redrabbit up has printed says why it ended; with --restart it is started \
                   again";
        Finding::warn(CHECK, text, fix)
    });
    findings.collect()
}

/// The state of each unit, in their order.
fn states(units: &[String]) -> Option<Vec<String>> {
    if units.is_empty() {
        return Some(Vec::new());
    }
    let args: Vec<&OsStr> = std::iter::once("is-active")
        .chain(units.iter().map(String::as_str))
        .map(OsStr::new)
        .collect();
    let said = program::ask("systemctl", &args).ok()?;
    let states: Vec<String> = said.out.lines().map(str::to_owned).collect();
    (states.len() == units.len()).then_some(states)
}

fn judge(units: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let active = units.iter().filter(|(_, state)| *state == "active").count();
    if active > 0 {
        let text = format!("{} active", counted(active, "unit"));
        findings.push(Finding::ok(CHECK, text));
    }
    for (unit, state) in units {
        let log = format!("`systemctl status {unit}` and `redrabbit logs` say why");
        match *state {
            "active" => {}
            "failed" => {
                let text = format!("{unit} has failed, and is not started again");
                let fix = format!("{log}; then `systemctl restart {unit}`");
                findings.push(Finding::fail(CHECK, text, fix));
            }
            "inactive" => {
                let text = format!("{unit} does not run");
                let fix = "`systemctl start redrabbit.target` starts what does not run";
                findings.push(Finding::warn(CHECK, text, fix));
            }
            state => {
                let text = format!("{unit} is {state}, and not ready yet");
                findings.push(Finding::warn(CHECK, text, log));
            }
        }
    }
    findings
}

/// Nodes that run, and that the files do not have (any more).
fn left_over(wanted: &[String], active: &BTreeSet<String>) -> Vec<Finding> {
    let others = active.iter().filter(|unit| !wanted.contains(unit));
    let findings = others.map(|unit| {
        let text = format!("{unit} runs, and the files place no such node here");
        Finding::warn(
            CHECK,
            text,
            format!("`systemctl stop {unit}` drains it and ends it"),
        )
    });
    findings.collect()
}

fn active() -> BTreeSet<String> {
    let args = [
        "list-units",
        "--plain",
        "--no-legend",
        "--state=active",
        "redrabbit-*@*.service",
    ];
    let said = program::ask("systemctl", &args.map(OsStr::new));
    let out = said.map(|said| said.out).unwrap_or_default();
    let units = out
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    units.map(str::to_owned).collect()
}

/// Whether they are started when the machine is.
fn enabled() -> Option<Finding> {
    let said = program::ask("systemctl", &["is-enabled", TARGET].map(OsStr::new)).ok()?;
    (said.out == "disabled").then(|| {
        let text = "the nodes are not started when this machine is";
        Finding::warn(CHECK, text, format!("`systemctl enable {TARGET}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn each_unit_that_does_not_run_is_named() {
        let found = judge(&[
            ("redrabbit-master@0.service", "active"),
            ("redrabbit-scene@0.service", "failed"),
            ("redrabbit-gate@0.service", "inactive"),
            ("redrabbit-gate@1.service", "activating"),
        ]);
        let found: Vec<_> = found.iter().map(|one| (one.status, &*one.text)).collect();
        assert_eq!(
            found,
            [
                (Status::Ok, "1 unit active"),
                (
                    Status::Fail,
                    "redrabbit-scene@0.service has failed, and is not started again"
                ),
                (Status::Warn, "redrabbit-gate@0.service does not run"),
                (
                    Status::Warn,
                    "redrabbit-gate@1.service is activating, and not ready yet"
                ),
            ]
        );
    }

    #[test]
    fn what_was_taken_out_and_still_runs_is_named() {
        let wanted = ["redrabbit-gate@0.service".to_owned()];
        let active = ["redrabbit-gate@0.service", "redrabbit-gate@1.service"];
        let active = active.map(str::to_owned).into();
        let found = left_over(&wanted, &active);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("redrabbit-gate@1.service runs"));
    }
}
