//! Where in a file something stands.

use std::{path::Path, sync::Arc};

use crate::mistake::Place;

/// Offsets into a text as lines and columns.
pub(crate) struct Lines<'a> {
    path: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(path: &Path, text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Lines {
            path: path.into(),
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// Line and column, both from 1, the column in characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let before = self
            .text
            .get(start..offset)
            .map_or(0, |text| text.chars().count());
        (line, before + 1)
    }

    /// The position as a place in the file.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place::Line {
            path: self.path.clone(),
            line,
            column,
        }
    }

    /// The text of that line.
    pub(crate) fn line(&self, line: usize) -> &'a str {
        self.text.lines().nth(line - 1).unwrap_or("")
    }
}
