//! How changes are shown, to people and to programs.

use std::{fmt::Write, path::Path};

use protocol::NodeName;
use serde::Serialize;
use topology::{Change, Changes, Effect, Restarts};

use crate::{names::listed, table::Table};

/// One change, as programs read it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    key: Option<&'a str>,
    old: Option<&'a str>,
    new: Option<&'a str>,
    node: Option<&'a str>,
    effect: &'static str,
    restarts: Option<Vec<&'a str>>,
}

/// An array with an object for each change.
pub(crate) fn json(changes: &Changes) -> String {
    let keys = changes.keys.iter().map(|change| Row {
        kind: "key",
        key: Some(&change.path),
        old: change.old.as_deref(),
        new: change.new.as_deref(),
        node: change.node.as_ref().map(NodeName::as_str),
        effect: change.effect.as_str(),
        restarts: match (change.effect, &change.node) {
            (Effect::Live, _) => Some(Vec::new()),
            (Effect::Node, Some(node)) => Some(vec![node.as_str()]),
            _ => None,
        },
    });
    let node = |kind, effect| move |node: &'_ NodeName| (kind, effect, node.as_str().to_owned());
    let added = changes.added.iter().map(node("added", "start"));
    let removed = changes.removed.iter().map(node("removed", "stop"));
    let nodes: Vec<(&str, &str, String)> = added.chain(removed).collect();
    let nodes = nodes.iter().map(|(kind, effect, node)| Row {
        kind,
        key: None,
        old: None,
        new: None,
        node: Some(node),
        effect,
        restarts: Some(Vec::new()),
    });
    let rows: Vec<Row<'_>> = keys.chain(nodes).collect();
    // Texts and nothing else: that cannot fail.
    let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    format!("{text}\n")
}

/// A line for each change, and what they mean together.
pub(crate) fn describe(changes: &Changes, file: &Path, against: &Path) -> String {
    let (file, against) = (file.display(), against.display());
    if changes.is_empty() {
        return format!("{file} changes nothing of {against}\n");
    }
    let mut table = Table::new(["NODE", "CHANGE", "FROM", "TO", "EFFECT"]);
    for node in &changes.added {
        let cells = [node.as_str(), "added", "", "", "starts it"];
        table.row(cells.map(str::to_owned));
    }
    for node in &changes.removed {
        let cells = [node.as_str(), "removed", "", "", "stops it"];
        table.row(cells.map(str::to_owned));
    }
    for change in &changes.keys {
        table.row([
            change
                .node
                .as_ref()
                .map_or("all", NodeName::as_str)
                .to_owned(),
            change.path.clone(),
            change.old.clone().unwrap_or_default(),
            change.new.clone().unwrap_or_default(),
            effect(change),
        ]);
    }
    let mut text = format!("{file} against {against}\n\n{table}\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", together(changes));
    text
}

/// What happens to those who run.
pub(crate) fn together(changes: &Changes) -> String {
    match changes.restarts() {
        Restarts::All => "Every node is restarted.".to_owned(),
        Restarts::Nodes(nodes) if nodes.is_empty() => "Nobody is restarted.".to_owned(),
        Restarts::Nodes(nodes) => {
            let names = listed(nodes.iter().map(NodeName::as_str));
            format!("Restarted: {names}.")
        }
    }
}

fn effect(change: &Change) -> String {
    match (change.effect, &change.node) {
        (Effect::Live, _) => "live".to_owned(),
        (Effect::Node, Some(node)) => format!("restarts {node}"),
        (Effect::Node, None) | (Effect::Group, _) => "restarts every node".to_owned(),
    }
}
