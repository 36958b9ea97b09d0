//! Headings and keys at the beginnings of lines, whatever stands behind them.
//!
//! The parser says where it stumbled and not over which key, and of a key that
//! is given twice not where the first one is. Reading line by line is enough to
//! find out.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};
use vocabulary::GroupName;

use crate::{
    group_list::{NAME, nameless},
    layer::KeyPath,
    section::Section,
};

/// A heading or a key at the beginning of a line.
struct Declaration {
    path: KeyPath,
    line: usize,
    heading: bool,
}

/// All of them in a file, in its order.
pub(crate) struct Declarations(Vec<Declaration>);

/// What a key that is given twice comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum Repetition {
    /// A repeated heading above it, which is reported itself.
    Implied,
    /// Itself.
    Of(Repeated),
}

/// A key that is given twice.
#[derive(Debug, PartialEq)]
pub(crate) struct Repeated {
    pub(crate) path: KeyPath,
    /// The line of the first one, unless it is hidden within another line.
    pub(crate) first: Option<usize>,
}

impl Declarations {
    pub(crate) fn scan(text: &str) -> Self {
        let mut declarations = Vec::new();
        let mut section = KeyPath::default();
        let mut lists = Lists::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            let path = if let Some(rest) = line.strip_prefix("[[") {
                let names = rest.split_once("]]").and_then(|(name, _)| dotted(name));
                names.map(|names| lists.next(&KeyPath::new(names)))
            } else if let Some(rest) = line.strip_prefix('[') {
                let names = rest.split_once(']').and_then(|(name, _)| dotted(name));
                names.map(KeyPath::new)
            } else {
                lists.read_name(&section, line);
                let names = line.split_once('=').and_then(|(name, _)| dotted(name));
                names.map(|names| KeyPath::new(section.segments().iter().cloned().chain(names)))
            };
            let Some(path) = path else {
                continue;
            };
            let heading = line.starts_with('[');
            if heading {
                section = path.clone();
            }
            declarations.push(Declaration {
                path,
                line: index + 1,
                heading,
            });
        }
        for declaration in &mut declarations {
            declaration.path = lists.named(&declaration.path);
        }
        Declarations(declarations)
    }

    /// The key or the heading at the beginning of `line`.
    pub(crate) fn at(&self, line: usize) -> Option<&KeyPath> {
        self.0
            .iter()
            .find(|declaration| declaration.line == line)
            .map(|found| &found.path)
    }

    /// What it is that `key`, somewhere in `line`, repeats.
    pub(crate) fn repeated_at(&self, line: usize, key: &str) -> Repetition {
        let below = self
            .0
            .iter()
            .take_while(|declaration| declaration.line <= line)
            .count();
        let heading = self.0[..below].iter().rposition(|above| above.heading);
        if let Some(heading) = heading
            && self.0[heading].line < line
            && self.first(heading).is_some()
        {
            return Repetition::Implied;
        }
        match below
            .checked_sub(1)
            .filter(|index| self.0[*index].line == line)
        {
            Some(index) if self.first(index).is_some() => Repetition::Of(Repeated {
                path: self.0[index].path.clone(),
                first: self.first(index),
            }),
            _ => Repetition::Of(Repeated {
                path: KeyPath::new(dotted(key).unwrap_or_default()),
                first: None,
            }),
        }
    }

    /// The line that has the same path as the one at `index`, before it.
    fn first(&self, index: usize) -> Option<usize> {
        let path = &self.0[index].path;
        self.0[..index]
            .iter()
            .find(|earlier| earlier.path == *path)
            .map(|first| first.line)
    }
}

/// The headings of lists that were met so far, and the names of groups below them.
#[derive(Default)]
struct Lists {
    counts: HashMap<KeyPath, usize>,
    names: HashMap<KeyPath, String>,
}

impl Lists {
    /// The section below one more heading `[[list]]`.
    fn next(&mut self, list: &KeyPath) -> KeyPath {
        let count = self.counts.entry(list.clone()).or_default();
        *count += 1;
        list.child(&nameless(*count - 1))
    }

    /// Notes the name of a group, if `line` in `section` gives one that is new.
    fn read_name(&mut self, section: &KeyPath, line: &str) {
        let is_group = matches!(
            section.segments(),
            [top, index] if top == Section::Group.top() && index.starts_with('#')
        );
        if !is_group || self.names.contains_key(section) {
            return;
        }
        let Ok(table) = DeTable::parse(line) else {
            return;
        };
        let name = table.get_ref().get(NAME);
        let name = name.and_then(|name| name.get_ref().as_str());
        let name = name.filter(|name| name.parse::<GroupName>().is_ok());
        if let Some(name) = name
            && self.names.values().all(|other| other != name)
        {
            self.names.insert(section.clone(), name.to_owned());
        }
    }

    /// `path` with the name of its group, where there is one.
    fn named(&self, path: &KeyPath) -> KeyPath {
        let [top, index, rest @ ..] = path.segments() else {
            return path.clone();
        };
        let section = KeyPath::new([top, index]);
        match self.names.get(&section) {
            Some(name) => KeyPath::new([top, name].into_iter().chain(rest)),
            None => path.clone(),
        }
    }
}

/// The parts of a key as TOML writes it: `gates."gate@0"`.
fn dotted(text: &str) -> Option<Vec<String>> {
    let text = format!("{text} = 0");
    let parsed = DeTable::parse(&text).ok()?;
    let mut names = Vec::new();
    let mut table = parsed.get_ref();
    while let Some((name, value)) = table.iter().next() {
        names.push(name.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "group = \"a\"\n\
        [gates.\"gate@0\"]\n\
        tcp = \"1\"\n\
        tcp = \"2\"\n\
        [gates.\"gate@0\"]\n\
        tcp = \"3\"\n";

    fn repeated(names: &[&str], first: Option<usize>) -> Repetition {
        Repetition::Of(Repeated {
            path: KeyPath::new(names.iter().copied()),
            first,
        })
    }

    #[test]
    fn a_repeated_key_is_found_with_its_section() {
        let found = Declarations::scan(TEXT).repeated_at(4, "tcp");
        assert_eq!(found, repeated(&["gates", "gate@0", "tcp"], Some(3)));
    }

    #[test]
    fn a_repeated_heading_answers_for_the_keys_below_it() {
        let declarations = Declarations::scan(TEXT);
        let found = declarations.repeated_at(5, "\"gate@0\"");
        assert_eq!(found, repeated(&["gates", "gate@0"], Some(2)));
        assert_eq!(declarations.repeated_at(6, "tcp"), Repetition::Implied);
    }

    #[test]
    fn headings_of_a_list_are_not_repeated_and_go_by_the_name_below_them() {
        let text = "[[groups]]\nmaster = 1\nname = \"A\"\n\
            [[groups]]\nmaster = 2\nmaster = 3\n";
        let declarations = Declarations::scan(text);
        let path = |line| declarations.at(line).unwrap().to_string();
        assert_eq!(
            (path(1), path(2)),
            ("groups.A".into(), "groups.A.master".into())
        );
        let found = declarations.repeated_at(6, "master");
        assert_eq!(found, repeated(&["groups", "#2", "master"], Some(5)));
    }

    #[test]
    fn a_key_inside_a_line_is_named_by_itself() {
        let declarations = Declarations::scan("master = { http = 1, http = 2 }");
        assert_eq!(
            declarations.repeated_at(1, "http"),
            repeated(&["http"], None)
        );
    }
}
