//! How a refused topology reads in a terminal: one block a mistake.

use std::{fmt::Write as _, path::Path};

use crate::mistake::Mistake;

/// Lines are broken so that they stay within this many columns.
const WIDTH: usize = 80;
/// Where the text behind a label begins.
const INDENT: usize = 12;

/// All of it, without a newline at the end.
pub(crate) fn render(path: &Path, mistakes: &[Mistake]) -> String {
    let count = match mistakes.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut text = format!("topology {} is refused: {count}", path.display());
    for mistake in mistakes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n\n{}", mistake.place);
        line(&mut text, "key", &mistake.key);
        line(&mut text, "found", &mistake.found);
        line(&mut text, "expected", &mistake.expected);
        line(
            &mut text,
            "nearest",
            mistake.nearest.as_deref().unwrap_or(""),
        );
    }
    text
}

/// `  label     words …`, and nothing when there are no words.
fn line(text: &mut String, label: &str, words: &str) {
    if words.is_empty() {
        return;
    }
    let _ = write!(text, "\n  {label:<width$}", width = INDENT - 2);
    let mut column = INDENT;
    for (index, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_under_itself() {
        let mut text = String::new();
        line(&mut text, "expected", &"word ".repeat(20));
        let lines: Vec<&str> = text.trim_end().lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines[2].starts_with(&" ".repeat(INDENT)), "{text}");
    }
}
