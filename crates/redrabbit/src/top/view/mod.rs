//! What a model looks like on a screen.
//!
//! - [`columns`]: the columns of the table, and which of them fit.
//! - [`details`]: one node.
//! - [`style`]: what stands out, with colour and without.

pub(super) mod columns;
mod details;
mod style;

use protocol::v1::{Severity, WatchResponse};
use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, TableState},
};

use super::{
    model::Model,
    numbers::{bytes, count},
};
use crate::time;
use columns::{Column, GAP, fitting, name_width};
pub(super) use style::Style;

/// As many alarms are shown above the table.
const ALARMS: usize = 5;

const HELP: &str = " q quit  ↑↓ choose  ⏎ details  s sort  r reverse  n l c m t b: by name load cpu mem traffic queue";

/// Draws it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model, style: Style) {
    let alarms = alarms(model, style);
    let [head, notice, alarming, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(model.away.is_some())),
        Constraint::Length(alarms.len() as u16),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(model, style), head);
    if let Some(away) = &model.away {
        frame.render_widget(Line::styled(format!(" {away}"), style.critical()), notice);
    }
    frame.render_widget(Paragraph::new(alarms), alarming);
    match model.chosen().filter(|_| model.details) {
        Some((_, node)) => {
            let group = model.group.as_ref();
            let links = group.map_or(&[][..], |group| &group.links);
            let lines = details::lines(node, links, group, usize::from(body.width));
            let most = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            let most = most.saturating_sub(body.height);
            model.scrolled = model.scrolled.min(most);
            let details = Paragraph::new(style.details(lines));
            frame.render_widget(details.scroll((model.scrolled, 0)), body);
        }
        None => table(frame, body, model, style),
    }
    let foot_text = match model.details {
        true => " q quit  esc back  ↑↓ scroll",
        false => HELP,
    };
    frame.render_widget(Line::styled(foot_text, style.dim()), foot);
}

/// The group in a line.
fn header(model: &Model, style: Style) -> Line<'static> {
    let Some(group) = &model.group else {
        return Line::raw(" waiting for the master");
    };
    let totals = Totals::of(group);
    let mut spans = vec![
        Span::styled(format!(" {} ", group.group), style.title()),
        Span::raw(format!(" {} nodes", group.nodes.len())),
        Span::raw(format!("  {} sessions", totals.sessions)),
        Span::raw(format!("  {} msg/s", count(totals.messages))),
        Span::raw(format!("  {}/s", bytes(totals.bytes))),
    ];
    if !group.alarms.is_empty() {
        let text = format!("  {} alarms", group.alarms.len());
        spans.push(Span::styled(text, style.critical()));
    }
    let at = time::to_text(time::from_millis(group.now_ms));
    let clock = at.get(11..19).unwrap_or_default();
    let facts = format!(
        "  {clock}Z  by {}  run {} revision {}",
        model.sort.as_str(),
        group.epoch,
        group.revision
    );
    spans.push(Span::styled(facts, style.dim()));
    Line::from(spans)
}

/// What the brokers forward, and who is in.
struct Totals {
    sessions: u64,
    messages: f64,
    bytes: f64,
}

impl Totals {
    fn of(group: &WatchResponse) -> Totals {
        let gates = group
            .nodes
            .iter()
            .filter(|node| node.name.starts_with("gate@"));
        let brokers = group
            .nodes
            .iter()
            .filter(|node| node.name.starts_with("master@") || node.name.starts_with("slave@"));
        let rates: Vec<_> = brokers.filter_map(|node| node.rates.as_ref()).collect();
        Totals {
            sessions: gates.map(|gate| gate.load).fold(0, u64::saturating_add),
            messages: rates.iter().map(|rates| rates.messages_out).sum(),
            bytes: rates.iter().map(|rates| rates.bytes_out).sum(),
        }
    }
}

fn alarms(model: &Model, style: Style) -> Vec<Line<'static>> {
    let Some(group) = &model.group else {
        return Vec::new();
    };
    let shown = group.alarms.iter().take(ALARMS).map(|alarm| {
        let (mark, look) = match alarm.severity() {
            Severity::Critical => ("!", style.critical()),
            _ => ("·", style.warning()),
        };
        let of = match alarm.node.as_str() {
            "" => String::new(),
            node => format!("{node}: "),
        };
        Line::styled(format!(" {mark} {of}{}", alarm.text), look)
    });
    let more = group.alarms.len().saturating_sub(ALARMS);
    let rest = (more > 0).then(|| Line::styled(format!("   and {more} more"), style.dim()));
    shown.chain(rest).collect()
}

fn table(frame: &mut Frame<'_>, area: Rect, model: &Model, style: Style) {
    let nodes = model.nodes();
    let names = name_width(nodes.iter().map(|node| &*node.name));
    let columns = fitting(area.width.saturating_sub(1), names);
    let titles = columns
        .iter()
        .map(|column| cell(*column, column.title().to_owned()));
    let rows = nodes.iter().map(|node| {
        let cells = columns.iter().map(|column| {
            let look = style.cell(*column, node);
            cell(*column, column.cell(node)).style(look)
        });
        Row::new(cells)
    });
    let widths = columns.iter();
    let widths = widths.map(|column| Constraint::Length(column.width(names)));
    let mut rest = TableState::new().with_selected(model.chosen().map(|(row, _)| row));
    let table = Table::new(rows, widths)
        .header(Row::new(titles).style(style.dim()))
        .column_spacing(GAP)
        .flex(Flex::Start)
        .row_highlight_style(style.chosen());
    let [_, area] = Layout::horizontal([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    frame.render_stateful_widget(table, area, &mut rest);
}

fn cell(column: Column, text: String) -> Cell<'static> {
    let line = Line::raw(text);
    Cell::new(match column.is_number() {
        true => line.right_aligned(),
        false => line,
    })
}

#[cfg(test)]
mod tests;
