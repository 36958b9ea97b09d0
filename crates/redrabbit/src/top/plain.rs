//! The group as plain text, for what is no terminal.

use protocol::v1::{Severity, WatchedNode};

use super::{
    model::Model,
    view::columns::{Column, fitting},
};

/// A table of all columns, under what somebody should look at.
pub(super) fn plain(model: &Model) -> String {
    let mut text = String::new();
    let Some(group) = &model.group else {
        return text;
    };
    for alarm in &group.alarms {
        let severity = match alarm.severity() {
            Severity::Critical => "critical",
            _ => "warning",
        };
        let of = match alarm.node.as_str() {
            "" => &group.group,
            node => node,
        };
        push(&mut text, &format!("{severity}: {of}: {}", alarm.text));
    }
    let columns = fitting(u16::MAX, 0);
    let nodes = model.nodes();
    let rows = nodes.iter().map(|node| row(&columns, node));
    let titles = columns.iter().map(|column| column.title().to_owned());
    let rows: Vec<Vec<String>> = std::iter::once(titles.collect()).chain(rows).collect();
    let widest = |place: usize| {
        let widths = rows.iter().map(|row| row[place].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    for row in &rows {
        let cells =
            row.iter()
                .zip(&columns)
                .zip(&widths)
                .map(|((cell, column), width)| match column.is_number() {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                });
        let line = cells.collect::<Vec<_>>().join("  ");
        push(&mut text, line.trim_end());
    }
    text
}

fn row(columns: &[Column], node: &WatchedNode) -> Vec<String> {
    columns.iter().map(|column| column.cell(node)).collect()
}

/// A line, without what would command a terminal.
fn push(text: &mut String, line: &str) {
    text.extend(line.chars().filter(|character| !character.is_control()));
    text.push('\n');
}
