//! What stands out, with colour and without.

use protocol::v1::{NodeState, WatchedNode};
use ratatui::{
    style::{Color, Modifier, Style as Look},
    text::Line,
};

use super::{columns::Column, details::Part};

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(in crate::top) struct Style {
    /// Without it bold and reversed text is all.
    pub(in crate::top) colour: bool,
}

/// From here on a queue is something to look at, and from here on now.
const FILLING: f64 = 0.5;
const FULL: f64 = 0.9;

impl Style {
    pub(super) fn title(self) -> Look {
        Look::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Look {
        Look::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn chosen(self) -> Look {
        Look::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn critical(self) -> Look {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn warning(self) -> Look {
        self.coloured(Color::Yellow)
    }

    /// A cell of the table.
    pub(super) fn cell(self, column: Column, node: &WatchedNode) -> Look {
        let fill = node.vitals.as_ref().map_or(0.0, |vitals| vitals.queue_fill);
        match column {
            Column::Name => Look::new().add_modifier(Modifier::BOLD),
            Column::State if node.suspect => self.critical(),
            Column::State if node.state() == NodeState::Ready => self.coloured(Color::Green),
            Column::State => self.warning(),
            Column::Queue if fill >= FULL => self.critical(),
            Column::Queue if fill >= FILLING => self.warning(),
            Column::Dropped if node.rates.as_ref().is_some_and(|rates| rates.dropped > 0.0) => {
                self.warning()
            }
            _ => Look::new(),
        }
    }

    /// The lines of the details.
    pub(super) fn details(self, lines: Vec<(Part, String)>) -> Vec<Line<'static>> {
        let line = |(part, text)| match part {
            Part::Title => Line::styled(text, Look::new().add_modifier(Modifier::BOLD)),
            Part::Text => Line::raw(text),
            Part::Warning => Line::styled(text, self.warning()),
            Part::Error => Line::styled(text, self.critical()),
        };
        lines.into_iter().map(line).collect()
    }

    fn coloured(self, colour: Color) -> Look {
        match self.colour {
            true => Look::new().fg(colour),
            false => Look::new(),
        }
    }
}
