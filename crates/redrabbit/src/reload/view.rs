//! How the reloads went, as people read it.

use protocol::{NodeName, v1::ReloadResponse};
use serde::Serialize;

use crate::table::Table;

/// A scene's line in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    scene: String,
    result: &'static str,
    version: String,
    hash: String,
    note: String,
    is_good: bool,
}

impl Row {
    /// It has loaded the script, or says why not.
    pub(super) fn answered(scene: &NodeName, response: &ReloadResponse) -> Row {
        let note = match (response.ok, response.kept.is_empty()) {
            (true, true) => with_what(&response.text),
            (true, false) => format!("kept as it was: {}", response.kept.join(", ")),
            (false, _) => {
                let text = response.text.as_str();
                text.strip_prefix("error: ").unwrap_or(text).to_owned()
            }
        };
        Row {
            scene: scene.to_string(),
            result: if response.ok { "loaded" } else { "failed" },
            version: match response.version {
                0 => String::new(),
                version => version.to_string(),
            },
            hash: in_a_line(&response.hash),
            note: in_a_line(&note),
            is_good: response.ok,
        }
    }

    /// It has said nothing.
    pub(super) fn unanswered(scene: &NodeName, why: &str) -> Row {
        Row::without_script(scene, "no answer", why, false)
    }

    /// It is about to end.
    pub(super) fn left_out(scene: &NodeName) -> Row {
        Row::without_script(scene, "left out", "it drains", true)
    }

    fn without_script(scene: &NodeName, result: &'static str, note: &str, is_good: bool) -> Row {
        Row {
            scene: scene.to_string(),
            result,
            version: String::new(),
            hash: String::new(),
            note: in_a_line(note),
            is_good,
        }
    }

    /// Whether nothing is wrong with it.
    pub(super) fn is_good(&self) -> bool {
        self.is_good
    }
}

/// Which modules were loaded with the script, if any were.
fn with_what(text: &str) -> String {
    let (_, names) = text.split_once(", with ").unwrap_or_default();
    match names {
        "" => String::new(),
        names => format!("with {names}"),
    }
}

/// A table with a line for each.
pub(super) fn to_table(rows: Vec<Row>) -> String {
    let mut table = Table::new(["SCENE", "RESULT", "VERSION", "HASH", "NOTE"]);
    for row in rows {
        table.row([
            row.scene,
            row.result.to_owned(),
            row.version,
            row.hash,
            row.note,
        ]);
    }
    table.to_string()
}

/// The form that programs read.
#[derive(Serialize)]
struct RowView<'a> {
    scene: &'a str,
    result: &'static str,
    version: Option<u32>,
    hash: Option<&'a str>,
    note: Option<&'a str>,
}

/// An array with an object for each.
pub(super) fn to_json(rows: &[Row]) -> String {
    let views = rows.iter().map(|row| RowView {
        scene: &row.scene,
        result: row.result,
        version: row.version.parse().ok(),
        hash: said(&row.hash),
        note: said(&row.note),
    });
    let views: Vec<RowView<'_>> = views.collect();
    // Texts and numbers: that cannot fail.
    serde_json::to_string_pretty(&views).unwrap_or_default() + "\n"
}

fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A terminal obeys what it is shown, and what scripts say may be anything.
fn in_a_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|one| !one.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    fn response(ok: bool, version: u32, kept: &[&str], text: &str) -> ReloadResponse {
        ReloadResponse {
            ok,
            module: "main".into(),
            version,
            hash: if version > 0 {
                "a1b2c3d4e5f6".into()
            } else {
                String::new()
            },
            kept: kept.iter().map(|kept| (*kept).to_owned()).collect(),
            text: text.into(),
        }
    }

    #[test]
    fn every_scene_has_a_line_that_says_how_it_went() {
        let rows = vec![
            Row::answered(
                &name("scene@0"),
                &response(true, 3, &[], "ok: main version 3"),
            ),
            Row::answered(&name("scene@1"), &response(true, 12, &["f", "g"], "ok: …")),
            Row::answered(
                &name("scene@2"),
                &response(false, 2, &[], "error: main.py, line 4:\n\u{1b}[2JNameError"),
            ),
            Row::answered(
                &name("scene@3"),
                &response(false, 0, &[], "error: it is gone"),
            ),
            Row::unanswered(&name("scene@4"), "nothing came within 15s"),
            Row::left_out(&name("scene@10")),
        ];
        let json: serde_json::Value = serde_json::from_str(&to_json(&rows)).unwrap();
        assert_eq!(json[0]["version"], 3);
        assert!(json[0]["note"].is_null());
        assert_eq!(json[3]["result"], "failed");
        assert!(json[3]["version"].is_null());
        let good: Vec<bool> = rows.iter().map(Row::is_good).collect();
        assert_eq!(good, [true, true, false, false, false, true]);
        assert_eq!(
            to_table(rows),
            "SCENE     RESULT     VERSION  HASH          NOTE\n\
             scene@0   loaded     3        a1b2c3d4e5f6  -\n\
             scene@1   loaded     12       a1b2c3d4e5f6  kept as it was: f, g\n\
             scene@2   failed     2        a1b2c3d4e5f6  main.py, line 4: [2JNameError\n\
             scene@3   failed     -        -             it is gone\n\
             scene@4   no answer  -        -             nothing came within 15s\n\
             scene@10  left out   -        -             it drains\n"
        );
    }
}
