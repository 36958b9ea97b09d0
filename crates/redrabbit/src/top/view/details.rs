//! All that is known of one node.

use std::{borrow::Cow, time::Duration};

use broker_master::state_name;
use protocol::{
    NodeId,
    v1::{FaultLevel, WatchResponse, WatchedLink, WatchedNode},
};
use textwrap::{Options, WordSplitter};

use crate::{
    time,
    top::numbers::{bytes, count, share, span},
};

/// What a line is, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Title,
    Text,
    Warning,
    Error,
}

/// It line by line; what the node's log says is broken where the screen ends.
pub(super) fn lines(
    node: &WatchedNode,
    links: &[WatchedLink],
    group: Option<&WatchResponse>,
    width: usize,
) -> Vec<(Part, String)> {
    let mut lines = vec![(Part::Title, format!(" {}  {}", node.name, state_name(node)))];
    let mut say = |name: &str, text: String| {
        lines.push((Part::Text, format!("   {name:<10} {text}")));
    };
    say("id", NodeId::from_u64(node.node_id).to_string());
    say("build", node.build.clone());
    if let Some(script) = &node.script {
        say(
            "script",
            match script.version {
                0 => "none has loaded".to_owned(),
                version => format!("version {version}, {}", script.hash),
            },
        );
    }
    say("load", node.load.to_string());
    say(
        "heard",
        format!("{} ago", span(Duration::from_millis(node.heard_ms))),
    );
    if let Some(vitals) = &node.vitals {
        let begun = (vitals.started_ms > 0).then(|| moment(vitals.started_ms));
        let since = begun.map_or_else(String::new, |begun| format!(", since {begun}"));
        say(
            "up",
            format!("{}{since}", span(Duration::from_millis(vitals.up_ms))),
        );
        if let Some(memory) = vitals.memory_bytes {
            say("memory", bytes(memory as f64));
        }
        let (waiting, size) = (vitals.queued_messages, bytes(vitals.queued_bytes as f64));
        let fill = vitals.queue_fill * 100.0;
        say(
            "queued",
            format!("{waiting} messages, {size}; the fullest queue is {fill:.0} % full"),
        );
        say("dropped", vitals.dropped.to_string());
    }
    if let Some(rates) = &node.rates {
        if let Some(cpu) = rates.cpu {
            say("processor", format!("{} of a core", share(cpu)));
        }
        let flow = |messages, size| format!("{} messages/s, {}/s", count(messages), bytes(size));
        say("in", flow(rates.messages_in, rates.bytes_in));
        say("out", flow(rates.messages_out, rates.bytes_out));
    }
    for group in &node.groups {
        let reached = match group.reachable {
            true => "reached",
            false => "NOT reached",
        };
        say("group", format!("{} {reached}", group.name));
    }
    lines.extend(linked(node, links, group));
    lines.extend(faults(node, width));
    lines
}

/// Its links to brokers, or a broker's to everybody.
fn linked(
    node: &WatchedNode,
    links: &[WatchedLink],
    group: Option<&WatchResponse>,
) -> Vec<(Part, String)> {
    let name = |id: u64| {
        let mut nodes = group.into_iter().flat_map(|group| &group.nodes);
        let node = nodes.find(|node| node.node_id == id);
        node.map_or_else(
            || NodeId::from_u64(id).to_string(),
            |node| node.name.clone(),
        )
    };
    let mut found: Vec<(String, &WatchedLink)> = links
        .iter()
        .filter_map(|link| match node.node_id {
            id if id == link.node_id => Some((name(link.broker_id), link)),
            id if id == link.broker_id => Some((name(link.node_id), link)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by(|(_, one), (_, other)| other.messages_per_s.total_cmp(&one.messages_per_s));
    let lines = found.into_iter().map(|(name, link)| {
        let (messages, size) = (count(link.messages_per_s), bytes(link.bytes_per_s));
        let queued = bytes(link.queued_bytes as f64);
        let text = format!("   {name:<14} {messages:>6} messages/s {size:>7}/s {queued:>7} queued");
        (Part::Text, text)
    });
    let title = [
        (Part::Text, String::new()),
        (Part::Title, " links".to_owned()),
    ];
    title.into_iter().chain(lines).collect()
}

/// The last warnings and errors of its log, the latest first.
fn faults(node: &WatchedNode, width: usize) -> Vec<(Part, String)> {
    let title = [
        (Part::Text, String::new()),
        (Part::Title, " last warnings and errors".to_owned()),
    ];
    let mut lines: Vec<(Part, String)> = title.into();
    let faults = node
        .vitals
        .iter()
        .flat_map(|vitals| vitals.faults.iter().rev());
    for fault in faults {
        let part = match fault.level() {
            FaultLevel::Error => Part::Error,
            _ => Part::Warning,
        };
        let mut text = fault.text.lines();
        let first = text.next().unwrap_or_default();
        let first = format!("{}  {}: {first}", moment(fault.at_ms), fault.target);
        let first = broken(&first, width, "   ")
            .into_iter()
            .map(|line| (part, line));
        lines.extend(first);
        let rest = text.flat_map(|line| broken(line, width, "      "));
        lines.extend(rest.map(|line| (Part::Text, line)));
    }
    if lines.len() == 2 {
        lines.push((Part::Text, "   none since it started".to_owned()));
    }
    lines
}

/// A line as it fits, with what follows further in.
fn broken(line: &str, width: usize, indent: &str) -> Vec<String> {
    let further = format!("{indent}   ");
    let options = Options::new(width.max(20))
        .initial_indent(indent)
        .subsequent_indent(&further)
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(line, options).into_iter();
    lines.map(Cow::into_owned).collect()
}

/// `2026-01-02 03:04:05Z`.
fn moment(unix_ms: u64) -> String {
    let text = time::to_text(time::from_millis(unix_ms));
    text.get(..19)
        .map_or(text.clone(), |text| format!("{}Z", text.replace('T', " ")))
}
