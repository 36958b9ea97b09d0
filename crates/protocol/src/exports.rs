//! What a group lets others call, as its master tells bridges.

use std::ops::RangeInclusive;

use vocabulary::{Export, Exports};

use crate::v1;

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
