//! A bridge's file under overrides.

use proptest::prelude::*;

use super::{Case, case, piece};

/// Bridges between two groups.
pub(super) const BRIDGES: &str = r#"
[bridges."bridge@0"]

[[groups]]
name = "GroupA"
master = "127.0.0.1:10241"

[[groups]]
name = "group-b"
master = "127.0.0.1:11241"
secret = "of the file"
"#;

pub(super) fn bridges() -> Case {
    Case {
        text: BRIDGES.to_owned(),
        ..case()
    }
}

#[test]
fn overrides_find_a_group_by_its_name_and_variables_whatever_its_case() {
    let case = bridges()
        .variable("REDRABBIT__GROUPS__GROUPA__MASTER", "127.0.0.1:1")
        .variable("REDRABBIT__GROUPS__GROUP_B__SECRET", "0012")
        .variable("REDRABBIT__LIMITS__DRAIN_GRACE", "2s")
        .set("groups.group-b.master=127.0.0.1:2")
        .set("bridges.bridge@0.workers=3");
    let plan = case.load_bridges().unwrap();
    let group = |name: &str| &plan.groups[&name.parse().unwrap()];
    assert_eq!(group("GroupA").master.port(), 1);
    assert_eq!(group("group-b").master.port(), 2);
    assert_eq!(group("group-b").security.secret.expose(), "0012");
    assert_eq!(plan.limits.drain_grace.as_secs(), 2);
    assert_eq!(plan.bridges.values().next().unwrap().workers, 3);
}

#[test]
fn overrides_name_no_group_that_the_file_does_not_list_and_rename_none() {
    let case = bridges()
        .variable("REDRABBIT__GROUPS__GROUPC__MASTER", "127.0.0.1:1")
        .variable("REDRABBIT__GROUPS__GROUPA__MASTR", "127.0.0.1:1")
        .variable("REDRABBIT__BRIDGES__X", "1")
        .set("groups.groupa.master=127.0.0.1:1")
        .set("groups.GroupA.name=GroupC")
        .set("groups.#1.master=127.0.0.1:1")
        .set("bridges.bridge@1.workers=2")
        .set("master.listen=127.0.0.1:1")
        .set("groups=5");
    assert_eq!(
        case.mistakes(),
        [
            "environment variable REDRABBIT__BRIDGES__X | bridges.x | \
             a variable for a section of nodes | -",
            "environment variable REDRABBIT__GROUPS__GROUPA__MASTR | groups.GroupA.mastr | \
             an unknown key | REDRABBIT__GROUPS__GROUPA__MASTER",
            "environment variable REDRABBIT__GROUPS__GROUPC__MASTER | groups.groupc.master | \
             groupc, which the file does not declare | GroupA",
            "--set bridges.bridge@1.workers | bridges.bridge@1.workers | \
             bridge@1, which the file does not declare | bridge@0",
            "--set groups | groups | a text | -",
            "--set groups.#1.master | groups.#1.master | \
             #1, which the file does not declare | -",
            "--set groups.GroupA.name | groups.GroupA.name | \
             another name for a group that the file lists | -",
            "--set groups.groupa.master | groups.groupa.master | \
             groupa, which the file does not declare | GroupA",
            "--set master.listen | master.listen | a part of a group's file | -",
        ]
    );
}

#[test]
fn a_variable_that_stands_for_two_groups_is_refused() {
    let mut case = bridges().variable("REDRABBIT__GROUPS__GROUP_B__MASTER", "127.0.0.1:1");
    case.text = case.text.replace("GroupA", "Group_B");
    let place = "environment variable REDRABBIT__GROUPS__GROUP_B__MASTER";
    let found = "a variable for each of Group_B, group-b";
    assert_eq!(
        case.mistakes(),
        [format!("{place} | groups.group_b.master | {found} | -")]
    );
}

proptest! {
    #[test]
    fn nor_does_what_is_written_of_bridges(
        piece in piece(), at in 0..BRIDGES.len(), set in "groups\\..{0,20}=.{0,20}",
    ) {
        let mut case = bridges().set(&set);
        case.text.insert_str(at, &piece);
        if let Err(error) = case.load_any() {
            prop_assert!(!error.mistakes().is_empty());
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
