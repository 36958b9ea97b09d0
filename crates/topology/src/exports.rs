//! What a group lets others call.

use std::{collections::BTreeMap, ops::RangeInclusive};

use protocol::v1;

/// What a group lets others call: nothing that is not in one of the entries.
/// Bridges are given it by the group's master, as [`v1::Exports`], and keep to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// The entries by the name that the topology gives each.
    pub entries: BTreeMap<String, Export>,
}

/// Some of what other groups may call, and which groups. What they may call is at
/// least one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The groups that may, by name; `*` is every group.
    pub groups: Vec<String>,
    /// The nodes that they may call: `scene@1`, `scene` for all scenes, `*` for
    /// every node.
    pub services: Vec<String>,
    /// The commands of services that they may call, in rising order; no two of the
    /// ranges touch.
    pub cmds: Vec<RangeInclusive<u16>>,
    /// The methods that they may call; what ends in `*` stands for all that begin
    /// with the rest. Those by which daemons speak to each other are never meant.
    pub methods: Vec<String>,
    /// Whether they may read the group's directory.
    pub directory: bool,
}

impl Exports {
    /// Whether nobody may call anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// As bridges are told.
impl From<&Exports> for v1::Exports {
    fn from(exports: &Exports) -> Self {
        let entry = |(name, export): (&String, &Export)| v1::Export {
            name: name.clone(),
            groups: export.groups.clone(),
            services: export.services.clone(),
            cmds: export.cmds.iter().map(range).collect(),
            methods: export.methods.clone(),
            directory: export.directory,
        };
        v1::Exports {
            exports: exports.entries.iter().map(entry).collect(),
        }
    }
}

fn range(cmds: &RangeInclusive<u16>) -> v1::CmdRange {
    v1::CmdRange {
        first: (*cmds.start()).into(),
        last: (*cmds.end()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_are_told_every_entry_with_all_that_it_says() {
        let export = Export {
            groups: vec!["GroupB".to_owned()],
            services: vec!["scene".to_owned()],
            cmds: vec![200..=200, 210..=65535],
            methods: vec!["stat.*".to_owned()],
            directory: true,
        };
        let entries = [("chat".to_owned(), export)].into();
        let told = v1::Exports::from(&Exports { entries });
        let [export] = told.exports.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((export.name.as_str(), export.directory), ("chat", true));
        assert_eq!(
            (&*export.groups, &*export.services),
            (&["GroupB".to_owned()][..], &["scene".to_owned()][..])
        );
        let ranges: Vec<_> = export
            .cmds
            .iter()
            .map(|cmds| (cmds.first, cmds.last))
            .collect();
        assert_eq!(ranges, [(200, 200), (210, 65535)]);
        assert_eq!(export.methods, ["stat.*"]);
    }
}
