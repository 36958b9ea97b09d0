//! Tables for people: columns as wide as their widest cell.

use std::fmt;

/// Rows under a header, all of one length.
#[derive(Clone, Debug)]
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

/// Between two columns.
const GAP: &str = "  ";

impl<const N: usize> Table<N> {
    /// A table that has no rows yet.
    pub(crate) fn new(header: [&str; N]) -> Self {
        Table {
            rows: vec![header.map(str::to_owned)],
        }
    }

    /// Adds a row. An empty cell is shown as `-`, so that no column seems to
    /// be missing.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| {
            if cell.is_empty() {
                "-".to_owned()
            } else {
                cell
            }
        }));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: usize| {
            let widths = self.rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(widest);
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("{cell:<width$}{GAP}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NAME", "STATE", "SCRIPT"]);
        table.row(["scene@0".into(), "ready".into(), String::new()]);
        table.row(["gate@10".into(), "draining".into(), "é".into()]);
        assert_eq!(
            table.to_string(),
            "NAME     STATE     SCRIPT\n\
             scene@0  ready     -\n\
             gate@10  draining  é\n"
        );
    }
}
