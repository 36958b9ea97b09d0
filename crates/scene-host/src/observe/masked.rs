//! Texts of scripts without the passwords of databases: a traceback shows the lines
//! of the source, and whoever writes a URL there has its password in them.

use std::borrow::Cow;

/// `text` with `***` for the password of every URL in it: what stands between user and
/// `@`, and in the older form, `mysql://host:port/user/password/db`, the second part of
/// the path.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        out.push_str(before);
        let scheme = before[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+');
        let opened = scheme.and_then(|at| before[at..].chars().next());
        let end = match opened {
            // A password may have any other character.
            Some(quote @ ('"' | '\'' | '`')) => after.find(quote),
            _ => after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')),
        };
        let (url, behind) = after.split_at(end.unwrap_or(after.len()));
        let scheme = before[scheme.map_or(0, |at| at + 1).min(at)..at].to_ascii_lowercase();
        let is_mysql = scheme.starts_with("mysql") || scheme.starts_with("mariadb");
        out.push_str(&without_password(url, is_mysql));
        rest = behind;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn without_password(url: &str, is_mysql: bool) -> String {
    if let Some((login, place)) = url.rsplit_once('@') {
        return match login.split_once(':') {
            Some((user, _password)) => format!("{user}:***@{place}"),
            None => url.to_owned(),
        };
    }
    let mut parts: Vec<&str> = url.split('/').collect();
    if is_mysql && parts.len() >= 4 {
        parts[2] = "***";
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_are_not_shown_and_everything_else_is() {
        for (text, shown) in [
            (
                "db = ffext.ffdb_create('mysql://joe:s3cr3t@db:3306/game')  # x",
                "db = ffext.ffdb_create('mysql://joe:***@db:3306/game')  # x",
            ),
            (
                "x('mysql://joe:s3)c\"r3t@db/g')",
                "x('mysql://joe:***@db/g')",
            ),
            ("postgres://a:p@ss/w@h/d, b", "postgres://a:***@h/d, b"),
            (
                "mysql://db:3306/joe/s3cr3t/game and mysql://db/joe/s3cr3t/game",
                "mysql://db:3306/joe/***/game and mysql://db/joe/***/game",
            ),
            ("https://example.org/a/b/c", "https://example.org/a/b/c"),
            ("redis://joe@host", "redis://joe@host"),
            ("no url: a@b", "no url: a@b"),
            ("://", "://"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
