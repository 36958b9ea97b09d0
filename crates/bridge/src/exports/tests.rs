use proptest::{prelude::*, sample::select};
use protocol::v1::{Export, Exports};

use super::*;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn allows(exports: &Exports, group: &str, node: &str, method: &str) -> bool {
    let grants = grants(exports, group);
    grants.of(method).is_some_and(|granted| granted.at(node))
}

fn grants(exports: &Exports, group: &str) -> Grants {
    let groups = [group.parse().unwrap()];
    let mut grants = Grants::of_groups(exports, &groups).unwrap();
    grants.remove(0)
}

/// The same, as one would say it, and slowly.
fn model(exports: &Exports, group: &str, node: &str, method: &str) -> bool {
    let internal = ["session.", "gate.", "owner.", "node.", "bridge."];
    if internal.iter().any(|prefix| method.starts_with(prefix)) {
        return false;
    }
    exports.exports.iter().any(|export| {
        let for_group = export.groups.iter().any(|own| own == "*" || own == group);
        let (role, _) = node.split_once('@').unwrap();
        let for_node = ["*", node, role]
            .iter()
            .any(|way| export.services.contains(&way.to_string()));
        let by_cmd = export.cmds.iter().any(|range| {
            let mut cmds = range.first..=range.last;
            cmds.any(|cmd| method == format!("service.{cmd}"))
        });
        let by_method = export.methods.iter().any(|name| {
            let family = name
                .strip_suffix('*')
                .is_some_and(|prefix| method.starts_with(prefix));
            family || name == method
        });
        for_group && for_node && (by_cmd || by_method)
    })
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(select(of), 0..3).prop_map(|chosen| texts(&chosen))
}

const METHODS: &[&str] = &[
    "echo",
    "stat.get",
    "stat.",
    "stat",
    "service.5",
    "service.6",
    "service.05",
    "service.",
    "session.enter",
    "bridge.nodes",
    "",
];

prop_compose! {
    fn export()(
        groups in some(&["GroupA", "GroupB", "*"]),
        services in some(&["scene@1", "scene", "gate", "*", "scene@"]),
        cmds in prop::collection::vec((0..9_u32, 0..9_u32), 0..3),
        methods in some(&["echo", "stat.*", "stat*", "*", "service.5", "service.*", "session.*", "s*"]),
        directory: bool,
    ) -> Export {
        let cmds = cmds.into_iter().map(|(first, last)| CmdRange { first, last }).collect();
        Export { name: "some".into(), groups, services, cmds, methods, directory }
    }
}

proptest! {
    #[test]
    fn what_may_be_called_is_what_an_export_says(
        exports in prop::collection::vec(export(), 0..4),
        group in select(&["GroupA", "GroupB", "GroupC"][..]),
        node in select(&["scene@1", "scene@10", "gate@0", "echo@0"][..]),
        method in select(METHODS),
    ) {
        let exports = Exports { exports };
        prop_assert_eq!(
            allows(&exports, group, node, method),
            model(&exports, group, node, method)
        );
        let directory = exports.exports.iter().any(|export| {
            export.directory && export.groups.iter().any(|own| own == "*" || own == group)
        });
        let grants = grants(&exports, group);
        prop_assert_eq!(grants.directory(), directory);
        // Nobody at all may be called where nothing is granted.
        if grants.of(method).is_none() {
            prop_assert!(!model(&exports, group, node, method));
        }
    }
}

#[test]
fn nothing_is_allowed_by_default() {
    assert!(!allows(&Exports::default(), "GroupA", "scene@0", "echo"));
    let nobody = Exports {
        exports: vec![Export {
            services: texts(&["*"]),
            methods: texts(&["*"]),
            ..Export::default()
        }],
    };
    assert!(!allows(&nobody, "GroupA", "scene@0", "echo"));
}

#[test]
fn the_methods_of_daemons_are_never_allowed() {
    let all = Exports {
        exports: vec![Export {
            groups: texts(&["*"]),
            services: texts(&["*"]),
            methods: texts(&["*", "session.*", "node.drain"]),
            ..Export::default()
        }],
    };
    assert!(allows(&all, "GroupA", "scene@0", "echo"));
    for method in [
        "session.enter",
        "node.drain",
        "gate.deliver",
        "owner.x",
        "bridge.nodes",
    ] {
        assert!(!allows(&all, "GroupA", "scene@0", method), "{method}");
    }
}

#[test]
fn what_is_granted_to_many_groups_is_there_once() {
    let exports = Exports {
        exports: vec![Export {
            groups: texts(&["*"]),
            services: texts(&["*"]),
            methods: texts(&["echo"]),
            ..Export::default()
        }],
    };
    let groups: Vec<GroupName> = ["A", "B"].map(|name| name.parse().unwrap()).into();
    let all = Grants::of_groups(&exports, &groups).unwrap();
    assert!(Arc::ptr_eq(&all[0].grants[0], &all[1].grants[0]));
}

#[test]
fn of_more_exports_than_there_may_be_none_is_taken() {
    let exporting = |methods: usize| Exports {
        exports: vec![Export {
            groups: texts(&["*"]),
            services: texts(&["*"]),
            methods: vec!["echo".to_owned(); methods],
            ..Export::default()
        }],
    };
    let groups = ["GroupA".parse().unwrap()];
    assert!(Grants::of_groups(&exporting(43_000), &groups).is_ok());
    let (bytes, most) = Grants::of_groups(&exporting(44_000), &groups).unwrap_err();
    assert!(bytes > most);
}
