//! The reference as a page for people.

use std::fmt::Write as _;

use super::{Key, Presence, keys};
use crate::{document::Document, section::Section};

const HEAD: &str = "\
# The keys of a topology

This page is made from the code (`crates/topology/src/reference`): do not edit it.
`UPDATE_REFERENCE=1 cargo test -p topology --test reference` writes it anew.

There are two sorts of files: that of a **group**, and that of **bridges** between
groups. Every key can also be given by `--set KEY=VALUE`; those of sections that name
no node also by the environment, as `REDRABBIT__SECTION__KEY`.

The last column says when a change takes effect. `redrabbit diff FILE` says it for all
that you have changed, before anything is touched.

- **live**: at once, when a daemon has read the file again (`redrabbit apply FILE`, or
  SIGHUP to each daemon).
- **node**: when the node of that section has been restarted.
- **group**: when every node of the file has been restarted.

A node that is added to the file is started and one that is taken out of it is stopped;
the others go on.
";

/// The whole page, in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for (document, title) in [
        (Document::Group, "The file of a group"),
        (Document::Bridge, "The file of bridges"),
    ] {
        let _ = write!(page, "\n## {title}\n");
        let mut section = None;
        for key in keys(document) {
            if section != Some(key.section) {
                section = Some(key.section);
                heading(&mut page, key.section);
            }
            row(&mut page, key);
        }
    }
    page
}

fn heading(page: &mut String, section: Section) {
    let heading = match section {
        Section::Top => "at the top".to_owned(),
        section => format!("`{}`", section.heading()),
    };
    let _ = write!(
        page,
        "\n### {heading}\n\n| key | kind | default | meaning | takes effect |\n\
         |---|---|---|---|---|\n"
    );
}

fn row(page: &mut String, key: &Key) {
    let default = match key.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "none".to_owned(),
        Presence::Default(value) => format!("`{value}`"),
    };
    let when = match (key.section, key.name) {
        (Section::Limits, "lease") => "node: the master",
        (Section::Security | Section::Group, "authority" | "certificate" | "key") => {
            "live; group where TLS is turned on or off"
        }
        _ => key.effect.as_str(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {default} | {}; {} | {when} |",
        key.name,
        key.kind(),
        escaped(key.meaning),
        escaped(&key.expects()),
    );
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
