//! `redrabbit-topology.5`: every key of a group's file and of a bridge's.

use clap_mangen::roff::{Roff, bold, italic, roman};
use topology::{Document, Effect, Key, Presence, Section, keys};

use crate::{MANUAL, Page, source};

/// The page.
pub(crate) fn page() -> Page {
    let mut roff = Roff::new();
    roff.control(
        "TH",
        ["REDRABBIT-TOPOLOGY", "5", "", source().as_str(), MANUAL],
    );
    roff.control("SH", ["NAME"]);
    roff.text([roman(
        "redrabbit-topology - the file that describes a group, or bridges between groups",
    )]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("/etc/redrabbit/topology.toml")]);
    roff.control("br", []);
    roff.text([bold("/etc/redrabbit/bridge.toml")]);
    roff.control("SH", ["DESCRIPTION"]);
    for paragraph in DESCRIPTION {
        roff.control("PP", []);
        roff.text([roman(*paragraph)]);
    }
    keys_of(&mut roff, "KEYS OF TOPOLOGY.TOML", Document::Group);
    keys_of(&mut roff, "KEYS OF BRIDGE.TOML", Document::Bridge);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([
        bold("redrabbit"),
        roman("(1), "),
        bold("redrabbit-check"),
        roman("(1), "),
        bold("redrabbit-generator"),
        roman("(8), "),
        bold("systemctl"),
        roman("(1)"),
    ]);
    Page {
        name: "redrabbit-topology.5".to_owned(),
        text: roff.render().into_bytes(),
    }
}

const DESCRIPTION: &[&str] = &[
    "One file in TOML describes a whole group. The same file lies on every machine, and each \
     starts the nodes whose machine is its own: the name in /etc/redrabbit/machine, or the host \
     name where there is no such file. A node whose machine is localhost is every machine's.",
    "Sizes are written \"64KiB\", \"16MiB\" or as a plain number of bytes, times \"500ms\", \
     \"10s\" or \"2m\". Paths are relative to the file. A file with a mistake is refused as a \
     whole, with all its mistakes; redrabbit check FILE looks for them without starting \
     anything.",
];

fn keys_of(roff: &mut Roff, heading: &str, document: Document) {
    roff.control("SH", [heading]);
    let mut section = None;
    for key in keys(document) {
        if section != Some(key.section) {
            section = Some(key.section);
            let heading = key.section.heading();
            let top = key.section == Section::Top;
            roff.control("SS", [if top { "At the top" } else { heading.as_str() }]);
        }
        roff.control("TP", []);
        roff.text([bold(key.name), roman(" = "), italic(key.kind())]);
        roff.text([roman(sentence(key))]);
    }
}

fn sentence(key: &Key) -> String {
    let presence = match key.presence {
        Presence::Required => "Required.".to_owned(),
        Presence::Optional => "May be left out.".to_owned(),
        Presence::Default(value) => format!("{value} unless set."),
    };
    let mut letters = key.meaning.chars();
    let meaning: String = letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    });
    let effect = match key.effect {
        Effect::Live => "at once",
        Effect::Node => "when the node is restarted",
        Effect::Group => "when every node of the file is restarted",
    };
    let expects = key.expects();
    format!("{meaning}. {presence} Takes {expects}. A change takes effect {effect}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_page() {
        let text = String::from_utf8(page().text).unwrap().replace('\\', "");
        for document in [Document::Group, Document::Bridge] {
            for key in keys(document) {
                assert!(
                    text.contains(&format!("fB{}fR = ", key.name)),
                    "{}",
                    key.path()
                );
            }
        }
    }
}
