//! Which sort of file it is: that of a group, or that of bridges between groups.

use crate::section::Section;

/// The two sorts of topology files. A file is of one of them, and what is a key of
/// the one is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// A group's file: `group`, `[master]`, and who else is in it.
    Group,
    /// A bridge's file: `[bridges."bridge@0"]` and the `[[groups]]` that it joins.
    Bridge,
}

impl Document {
    /// The sort of a file with these keys and sections at its top; nothing where
    /// they could stand in either, or in none.
    pub(crate) fn of<'a>(tops: impl IntoIterator<Item = &'a str>) -> Option<Document> {
        let (mut of_a_group, mut of_a_bridge) = (false, false);
        for top in tops {
            // These two make a group; bridges beside them have strayed there.
            if Document::MARKS.contains(&top) {
                return Some(Document::Group);
            }
            of_a_group |= Document::Group.alone_has(top);
            of_a_bridge |= Document::Bridge.alone_has(top);
        }
        match (of_a_group, of_a_bridge) {
            (_, true) => Some(Document::Bridge),
            (true, false) => Some(Document::Group),
            (false, false) => None,
        }
    }

    /// What no group's file goes without, and no bridge's file has.
    const MARKS: [&str; 2] = ["group", "master"];

    /// What it is, as a message says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Document::Group => "a group's file",
            Document::Bridge => "a bridge's file",
        }
    }

    /// How it is told from the other.
    pub(crate) fn expects(self) -> &'static str {
        match self {
            Document::Group => "a group's file, with group and [master]",
            Document::Bridge => "a bridge's file, with [bridges.\"bridge@0\"] and [[groups]]",
        }
    }

    /// The other sort.
    pub(crate) fn other(self) -> Document {
        match self {
            Document::Group => Document::Bridge,
            Document::Bridge => Document::Group,
        }
    }

    /// The sections below the top, in the order of the file.
    pub(crate) fn sections(self) -> &'static [Section] {
        match self {
            Document::Group => &[
                Section::Master,
                Section::Slave,
                Section::Gate,
                Section::Scene,
                Section::Export,
                Section::Limits,
                Section::Log,
                Section::Security,
            ],
            Document::Bridge => &[
                Section::Bridge,
                Section::Group,
                Section::Limits,
                Section::Log,
            ],
        }
    }

    /// The section whose path begins with `name`.
    pub(crate) fn section(self, name: &str) -> Option<Section> {
        let mut sections = self.sections().iter().copied();
        sections.find(|section| section.top() == name)
    }

    /// Whether `top` stands at the top of files of this sort and not of the other.
    pub(crate) fn alone_has(self, top: &str) -> bool {
        let has = |document: Document| {
            let mark = document == Document::Group && Document::MARKS.contains(&top);
            mark || document.section(top).is_some()
        };
        has(self) && !has(self.other())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_stands_at_its_top() {
        let of = |tops: &[&str]| Document::of(tops.iter().copied());
        assert_eq!(of(&["group", "master"]), Some(Document::Group));
        assert_eq!(of(&["groups", "limits"]), Some(Document::Bridge));
        assert_eq!(of(&["bridges"]), Some(Document::Bridge));
        assert_eq!(of(&["limits", "gates"]), Some(Document::Group));
        assert_eq!(of(&["limits", "colour"]), None);
    }

    #[test]
    fn what_has_strayed_into_a_file_does_not_make_it_another() {
        let of = |tops: &[&str]| Document::of(tops.iter().copied());
        assert_eq!(of(&["bridges", "group", "gates"]), Some(Document::Group));
        assert_eq!(of(&["security", "groups"]), Some(Document::Bridge));
    }
}
