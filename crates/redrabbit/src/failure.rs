//! What went wrong, as people and programs read it.

use std::error::Error;

use daemon::Exit;
use serde::Serialize;
use topology::{Mistake, TopologyError};

/// An error and how the program ends because of it, as programs read it.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    error: &'a str,
    kind: &'static str,
    exit_code: u8,
    /// What is wrong with a topology, one by one; not there with any other error.
    #[serde(skip_serializing_if = "Option::is_none")]
    mistakes: Option<Vec<MistakeView<'a>>>,
}

#[derive(Debug, Serialize)]
struct MistakeView<'a> {
    place: String,
    key: &'a str,
    found: &'a str,
    expected: &'a str,
    nearest: Option<&'a str>,
}

/// Tells on stderr what went wrong: in words, or as one JSON object in a line.
pub(crate) fn tell(error: &(dyn Error + 'static), exit: Exit, json: bool) -> Exit {
    match json {
        true => eprintln!("{}", to_json(error, exit)),
        false => eprintln!("{error}"),
    }
    exit
}

fn to_json(error: &(dyn Error + 'static), exit: Exit) -> String {
    let mistakes = error.downcast_ref().map(|error: &TopologyError| {
        let mistakes = error.mistakes().iter();
        mistakes.map(view).collect()
    });
    of_text(&error.to_string(), exit, mistakes)
}

/// The same of a text alone, such as what is wrong with a command line.
pub(crate) fn text_to_json(text: &str, exit: Exit) -> String {
    of_text(text.trim_end(), exit, None)
}

fn of_text(error: &str, exit: Exit, mistakes: Option<Vec<MistakeView<'_>>>) -> String {
    let failure = Failure {
        error,
        kind: exit.as_str(),
        exit_code: exit.code(),
        mistakes,
    };
    // Texts and numbers: that cannot fail.
    serde_json::to_string(&failure).unwrap_or_default()
}

fn view(mistake: &Mistake) -> MistakeView<'_> {
    MistakeView {
        place: mistake.place.to_string(),
        key: &mistake.key,
        found: &mistake.found,
        expected: &mistake.expected,
        nearest: mistake.nearest.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use topology::Plan;

    use super::*;

    #[test]
    fn programs_are_told_every_mistake_of_a_topology() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("topology.toml");
        std::fs::write(
            &file,
            "group = \"GroupA\"\n[master]\nlisen = \"127.0.0.1:1\"\n",
        )
        .unwrap();
        let error = Plan::load(&file, &[]).unwrap_err();
        let json: serde_json::Value = serde_json::from_str(&to_json(&error, Exit::Config)).unwrap();
        assert_eq!(json["kind"], "config");
        assert_eq!(json["exit_code"], 78);
        assert!(json["error"].as_str().unwrap().contains("lisen"));
        let mistakes = json["mistakes"].as_array().unwrap();
        assert!(
            mistakes.iter().any(|one| one["nearest"] == "master.listen"),
            "{json}"
        );
    }

    #[test]
    fn an_error_is_one_line() {
        let json = text_to_json("two\nlines\n", Exit::Usage);
        assert_eq!(
            json,
            r#"{"error":"two\nlines","kind":"usage","exit_code":64}"#
        );
    }
}
