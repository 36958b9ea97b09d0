//! The sections of a topology, and how they are named.

use vocabulary::{GroupName, NodeName};

/// A section of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The top of the file, before any section.
    Top,
    /// `[master]`
    Master,
    /// `[slaves."slave@0"]`, one a slave.
    Slave,
    /// `[gates."gate@0"]`, one a gate.
    Gate,
    /// `[scenes."scene@0"]`, one a scene.
    Scene,
    /// `[exports.chat]`, one an export, named as one likes.
    Export,
    /// `[limits]`
    Limits,
    /// `[log]`
    Log,
    /// `[security]`
    Security,
    /// `[bridges."bridge@0"]`, one a bridge.
    Bridge,
    /// `[[groups]]`, one a group that bridges join; known by its `name`.
    Group,
}

impl Section {
    /// Its path, with `gate@0` and the like for what names one of several.
    pub fn path(self) -> &'static str {
        match self {
            Section::Top => "",
            Section::Master => "master",
            Section::Slave => "slaves.\"slave@0\"",
            Section::Gate => "gates.\"gate@0\"",
            Section::Scene => "scenes.\"scene@0\"",
            Section::Export => "exports.chat",
            Section::Limits => "limits",
            Section::Log => "log",
            Section::Security => "security",
            Section::Bridge => "bridges.\"bridge@0\"",
            Section::Group => "groups.GroupB",
        }
    }

    /// What it begins with in a file; nothing for the top.
    pub fn heading(self) -> String {
        match self {
            Section::Top => String::new(),
            Section::Group => "[[groups]]".to_owned(),
            section => format!("[{}]", section.path()),
        }
    }

    /// The first part of its path.
    pub(crate) fn top(self) -> &'static str {
        let path = self.path();
        path.split_once('.').map_or(path, |(top, _)| top)
    }

    /// Whether there may be several of it, each by its name.
    pub(crate) fn is_named(self) -> bool {
        self.path().contains('.')
    }

    /// What one of it describes.
    pub(crate) fn noun(self) -> Option<&'static str> {
        match self {
            Section::Slave => Some("a slave"),
            Section::Gate => Some("a gate"),
            Section::Scene => Some("a scene"),
            Section::Export => Some("an export"),
            Section::Bridge => Some("a bridge"),
            Section::Group => Some("a group"),
            _ => None,
        }
    }

    /// The role of the nodes that it names one each, if it does.
    pub(crate) fn role(self) -> Option<&'static str> {
        match self {
            Section::Slave => Some("slave"),
            Section::Gate => Some("gate"),
            Section::Scene => Some("scene"),
            Section::Bridge => Some("bridge"),
            _ => None,
        }
    }

    /// Whether `name` can be the name of one of this section.
    pub(crate) fn admits(self, name: &str) -> bool {
        match self.role() {
            Some(role) => name
                .parse::<NodeName>()
                .is_ok_and(|name| name.role() == role),
            None => name.parse::<GroupName>().is_ok(),
        }
    }

    /// What a name of one of this section has to be.
    pub(crate) fn expects_name(self) -> String {
        match self.role() {
            Some(role) => format!("a name such as \"{role}@0\" or \"{role}@1\""),
            None => "a name of 1 to 64 letters, digits, \"-\" and \"_\"".to_owned(),
        }
    }
}
