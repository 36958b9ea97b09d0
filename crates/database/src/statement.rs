//! What kind of statement a text is, as far as a pool has to know.

/// What a statement does to the transaction that it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// It begins one, or ends the one that it runs in.
    Boundary,
    /// It goes back to a savepoint.
    BackToSavepoint,
    /// It is none, but comments at most.
    Nothing,
    /// Nothing.
    Plain,
}

/// Looks at the first words.
pub(crate) fn sort(sql: &str) -> Sort {
    let mut words = Words(sql);
    let mut next = || words.next().unwrap_or_default();
    match next().as_str() {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => Sort::Boundary,
        "START" if next() == "TRANSACTION" => Sort::Boundary,
        "ROLLBACK" => match (next().as_str(), next().as_str()) {
            ("TO", _) | ("WORK" | "TRANSACTION", "TO") => Sort::BackToSavepoint,
            _ => Sort::Boundary,
        },
        "" if words.0.is_empty() => Sort::Nothing,
        _ => Sort::Plain,
    }
}

/// The words that a statement begins with, in upper case, without comments.
struct Words<'s>(&'s str);

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let rest = self
                .0
                .trim_start_matches(|c: char| c.is_whitespace() || c == ';');
            let after = if rest.starts_with("--") {
                rest.find('\n').map_or("", |end| &rest[end..])
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or("", |end| &rest[end + 2..])
            } else {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                self.0 = &rest[end..];
                // What begins with no word is left where it is.
                return (end > 0).then(|| rest[..end].to_ascii_uppercase());
            };
            self.0 = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_of_transactions_are_seen_whatever_stands_before() {
        for sql in [
            "BEGIN",
            " begin immediate",
            "/* now */ -- then\n commit;",
            "start transaction read only",
            "ROLLBACK",
            "rollback work",
            "END",
            ";;commit",
        ] {
            assert_eq!(sort(sql), Sort::Boundary, "{sql}");
        }
        for sql in [
            "SELECT 1",
            "(SELECT 1)",
            "\"commit\"",
            "beginning",
            "START SLAVE",
            "SAVEPOINT a",
            "RELEASE a",
            "é",
        ] {
            assert_eq!(sort(sql), Sort::Plain, "{sql}");
        }
        for sql in ["", " ;", "-- commit", "/* commit", "/**/ -- x"] {
            assert_eq!(sort(sql), Sort::Nothing, "{sql}");
        }
        assert_eq!(sort("ROLLBACK TO SAVEPOINT a"), Sort::BackToSavepoint);
        assert_eq!(sort("rollback work to a"), Sort::BackToSavepoint);
    }
}
