//! What kind of statement a text is, as far as a pool has to know.

/// What a statement does to the transaction that it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// It begins one, or ends the one that it runs in.
    Boundary,
    /// It goes back to a savepoint.
    BackToSavepoint,
    /// It makes a savepoint, or forgets one: outside of a transaction SQLite begins
    /// one for it.
    Savepoint,
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
        "BEGIN" | "COMMIT" | "END" | "ABORT" | "XA" | "/*!" => Sort::Boundary,
        "SAVEPOINT" | "RELEASE" => Sort::Savepoint,
        "LOCK" | "UNLOCK" if next() == "TABLES" => Sort::Boundary,
        "SET" if sql.to_ascii_uppercase().contains("AUTOCOMMIT") => Sort::Boundary,
        "PREPARE" if next() == "TRANSACTION" => Sort::Boundary,
        "START" if next() == "TRANSACTION" => Sort::Boundary,
        "ROLLBACK" => match (next().as_str(), next().as_str()) {
            ("TO", _) | ("WORK" | "TRANSACTION", "TO") => Sort::BackToSavepoint,
            _ => Sort::Boundary,
        },
        "" if words.0.is_empty() => Sort::Nothing,
        _ => Sort::Plain,
    }
}

/// Whether a text has another statement behind the first, as SQLite reads it: a
/// library that is given such a text carries out all of it.
pub(crate) fn is_several(sql: &str) -> bool {
    let is_trigger = {
        let mut words = Words(sql);
        words.next().as_deref() == Some("CREATE") && words.take(2).any(|word| word == "TRIGGER")
    };
    // A trigger has statements in it, and ends with the END behind one of them.
    let (mut last, mut before_last) = (String::new(), String::new());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' | '"' | '`' => ("", behind(&rest[1..], &first.to_string())),
            '[' => ("", behind(&rest[1..], "]")),
            '-' if rest.starts_with("--") => {
                rest = behind(&rest[2..], "\n");
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = behind(&rest[2..], "*/");
                continue;
            }
            c if c.is_whitespace() => {
                rest = rest.trim_start();
                continue;
            }
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                rest.split_at(end.unwrap_or(rest.len()))
            }
            c => rest.split_at(c.len_utf8()),
        };
        rest = after;
        if token == ";" {
            let is_end = !is_trigger || (last == "END" && before_last == ";");
            if is_end && sort(rest) != Sort::Nothing {
                return true;
            }
        }
        before_last = std::mem::replace(&mut last, token.to_ascii_uppercase());
    }
    false
}

/// What comes behind the next `mark`.
fn behind<'s>(text: &'s str, mark: &str) -> &'s str {
    text.find(mark).map_or("", |at| &text[at + mark.len()..])
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
            let is_run = ["/*!", "/*M!", "*/"];
            let after = if is_run.iter().any(|mark| rest.starts_with(mark)) {
                // A comment to some databases, and none to others.
                self.0 = "";
                return Some("/*!".to_owned());
            } else if rest.starts_with("--") || rest.starts_with('#') {
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
            "# now\nbegin",
            "/*!50000 begin */",
            "/* /* */ */ commit",
            "XA START 'a'",
            "lock tables a write",
            "set session autocommit = 0",
            "SET @@autocommit=0",
            "prepare transaction 'a'",
        ] {
            assert_eq!(sort(sql), Sort::Boundary, "{sql}");
        }
        for sql in [
            "SELECT 1",
            "(SELECT 1)",
            "\"commit\"",
            "beginning",
            "START SLAVE",
            "LOCK TABLE a",
            "SET NAMES utf8mb4",
            "é",
        ] {
            assert_eq!(sort(sql), Sort::Plain, "{sql}");
        }
        for sql in ["", " ;", "-- commit", "/* commit", "/**/ -- x"] {
            assert_eq!(sort(sql), Sort::Nothing, "{sql}");
        }
        for sql in ["SAVEPOINT a", "release savepoint a"] {
            assert_eq!(sort(sql), Sort::Savepoint, "{sql}");
        }
        assert_eq!(sort("ROLLBACK TO SAVEPOINT a"), Sort::BackToSavepoint);
        assert_eq!(sort("rollback work to a"), Sort::BackToSavepoint);
    }

    #[test]
    fn a_second_statement_in_a_text_is_seen() {
        for sql in [
            "INSERT INTO a VALUES (1); BEGIN",
            "SELECT ';' ; SELECT 2;",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; COMMIT",
            "UPDATE a SET b = 'it''s'; -- then\n UPDATE a SET b = 2",
        ] {
            assert!(is_several(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT 1;",
            "SELECT 1; -- that is all;\n ; /* ; */",
            "SELECT 'a; b', \"c;d\", `e;f`, [g;h] FROM t -- ; x\n WHERE 1 /* ; y */",
            "SELECT 'it''s; so'",
            "create temp trigger t after insert on a begin update a set b = 1; delete from c; end;",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END",
            "é; ",
        ] {
            assert!(!is_several(sql), "{sql}");
        }
    }
}
