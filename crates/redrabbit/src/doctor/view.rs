//! Findings as people and programs read them.

use anstyle::{AnsiColor, Style};

use super::{Finding, Status, finding::counted};

/// An array with an object for each.
pub(super) fn to_json(findings: &[Finding]) -> String {
    // Texts and nothing else: that cannot fail.
    serde_json::to_string_pretty(findings).unwrap_or_default() + "\n"
}

/// Wide enough for every check.
const CHECK: usize = 12;

/// A mark, a check, what was found; below it what to do. And a line on the whole.
pub(super) fn to_text(findings: &[Finding], colour: bool) -> String {
    let paint = |style: Style, text: &str| match colour {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    };
    let indent = " ".repeat(6 + CHECK + 2);
    let mut text = String::new();
    for finding in findings {
        let (mark, style) = match finding.status {
            Status::Ok => ("ok", AnsiColor::Green.on_default()),
            Status::Warn => ("warn", AnsiColor::Yellow.on_default().bold()),
            Status::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
        };
        let mark = paint(style, &format!("{mark:4}"));
        let found = finding.text.replace('\n', &format!("\n{indent}"));
        let found = found.replace(&format!("\n{indent}\n"), "\n\n");
        text.push_str(&format!("{mark}  {:CHECK$}  {found}\n", finding.check));
        if let Some(fix) = &finding.fix {
            let fix = paint(Style::new().dimmed(), &format!("to do: {fix}"));
            text.push_str(&format!("{indent}{fix}\n"));
        }
    }
    text + "\n" + &verdict(findings) + "\n"
}

fn verdict(findings: &[Finding]) -> String {
    let count = |status| findings.iter().filter(|one| one.status == status).count();
    match (count(Status::Fail), count(Status::Warn)) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, warnings) => format!("nothing has failed; {}", counted(warnings, "warning")),
        (failures, 0) => format!("{} failed", counted(failures, "check")),
        (failures, warnings) => format!(
            "{} failed, and {}",
            counted(failures, "check"),
            counted(warnings, "warning")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong() {
        let findings = [
            Finding::ok("topology", "it is good"),
            Finding::fail("ports", "two\nlines", "change it"),
        ];
        assert_eq!(
            to_text(&findings, false),
            "ok    topology      it is good\n\
             FAIL  ports         two\n\
             \x20                   lines\n\
             \x20                   to do: change it\n\
             \n\
             1 check failed\n"
        );
        let json: serde_json::Value = serde_json::from_str(&to_json(&findings)).unwrap();
        assert_eq!(json[1]["status"], "fail");
        assert!(json[0]["fix"].is_null());
    }
}
