//! Screens, as they stand beside this file in `expected`. With `UPDATE_EXPECTED=1` they
//! are written anew: look at them then.

use std::{fs, path::Path};

use protocol::{
    NodeId,
    v1::{
        Alarm, Fault, FaultLevel, GroupLink, NodeState, Rates, Role, Script, Vitals, WatchResponse,
        WatchedLink, WatchedNode,
    },
};
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::top::model::{Key, Sort};

const NOW: u64 = 1_795_441_323_000;

fn node(serial: u32, name: &str, role: Role, busy: f64) -> WatchedNode {
    WatchedNode {
        node_id: NodeId::new(478_020_680, serial).as_u64(),
        name: name.to_owned(),
        role: role.into(),
        state: NodeState::Ready.into(),
        build: "0.1.0 (1a2b3c4d5e6f)".to_owned(),
        load: (busy * 1000.0) as u64,
        heard_ms: 420,
        vitals: Some(Vitals {
            up_ms: 7_500_000,
            started_ms: NOW - 7_500_000,
            memory_bytes: Some(54_000_000),
            queued_messages: (busy * 40.0) as u64,
            queued_bytes: (busy * 9000.0) as u64,
            queue_fill: busy,
            ..Vitals::default()
        }),
        rates: Some(Rates {
            cpu: Some(busy / 2.0),
            messages_in: busy * 1400.0,
            messages_out: busy * 1500.0,
            bytes_in: busy * 90_000.0,
            bytes_out: busy * 92_000.0,
            dropped: 0.0,
        }),
        ..WatchedNode::default()
    }
}

fn group() -> WatchResponse {
    let mut scene = node(4, "scene@0", Role::Scene, 0.6);
    scene.script = Some(Script {
        version: 3,
        hash: "bebb0b5a455e".to_owned(),
        ..Script::default()
    });
    scene.vitals.as_mut().unwrap().dropped = 12;
    scene.vitals.as_mut().unwrap().faults = vec![
        Fault {
            at_ms: NOW - 90_000,
            level: FaultLevel::Warn.into(),
            target: "scene_host::script".to_owned(),
            text: "handler blocked the scene cmd=7 seconds=1.2".to_owned(),
        },
        Fault {
            at_ms: NOW - 4_000,
            level: FaultLevel::Error.into(),
            target: "scene_host::script".to_owned(),
            text: "handler failed cmd=7\nTraceback\u{1b}[31m\nValueError: fails".to_owned(),
        },
    ];
    let mut bridge = node(5, "bridge@0", Role::Bridge, 0.05);
    bridge.groups = vec![GroupLink {
        name: "arena".to_owned(),
        ..GroupLink::default()
    }];
    let quiet = WatchedNode {
        state: NodeState::Joining.into(),
        vitals: None,
        rates: None,
        ..node(6, "gate@1", Role::Gate, 0.0)
    };
    let alarm = |severity: Severity, node: &str, text: &str| Alarm {
        severity: severity.into(),
        node: node.to_owned(),
        text: text.to_owned(),
        since_ms: NOW - 4_000,
    };
    let nodes = vec![
        node(0, "master@0", Role::Master, 0.01),
        bridge,
        node(2, "gate@0", Role::Gate, 0.3),
        quiet,
        scene,
        node(1, "slave@0", Role::Slave, 0.8),
    ];
    let link = |node: usize, messages_per_s| WatchedLink {
        node_id: nodes[node].node_id,
        broker_id: nodes[5].node_id,
        messages_per_s,
        bytes_per_s: messages_per_s * 100.0,
        queued_bytes: 180,
    };
    WatchResponse {
        group: "world".to_owned(),
        epoch: 478_020_680,
        revision: 12,
        now_ms: NOW,
        links: vec![link(2, 921.0), link(4, 1700.0)],
        nodes,
        alarms: vec![
            alarm(
                Severity::Critical,
                "bridge@0",
                "it does not reach the group arena",
            ),
            alarm(
                Severity::Warning,
                "slave@0",
                "its fullest queue is 80 % full",
            ),
        ],
    }
}

fn model() -> Model {
    let mut model = Model::default();
    model.hear(group());
    model
}

fn screen(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let style = Style { colour: true };
    terminal.draw(|frame| draw(frame, model, style)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn is_expected(name: &str, screen: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/view/expected");
    let file = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, screen).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        screen == expected,
        "{name} is now:\n{screen}\nand was:\n{expected}"
    );
}

#[test]
fn a_group_on_a_wide_screen_and_on_a_narrow_one() {
    is_expected("wide", &screen(&mut model(), 132, 16));
    is_expected("narrow", &screen(&mut model(), 60, 16));
}

#[test]
fn one_node_with_its_links_and_its_last_errors() {
    let mut model = model();
    model.press(Key::By(Sort::Sessions));
    for key in [Key::Down, Key::Down, Key::Enter] {
        model.press(key);
    }
    assert_eq!(model.chosen.as_deref(), Some("scene@0"));
    is_expected("scene", &screen(&mut model, 100, 34));
    // It is scrolled to its end, and no further.
    model.press(Key::End);
    let end = screen(&mut model, 100, 12);
    assert!(
        end.contains("ValueError: fails") && !end.contains("none since"),
        "{end}"
    );
}

#[test]
fn a_master_that_is_away_is_said_and_what_was_there_stays() {
    let mut model = model();
    model.away = Some("no master was reached at 127.0.0.1:10241".to_owned());
    is_expected("away", &screen(&mut model, 100, 14));
}

#[test]
fn every_size_and_every_moment_can_be_drawn() {
    let mut details = model();
    details.press(Key::Enter);
    details.press(Key::Enter);
    for model in [&mut Model::default(), &mut model(), &mut details] {
        for width in [1, 5, 20, 79, 300] {
            for height in [1, 2, 3, 7, 60] {
                screen(model, width, height);
            }
        }
    }
}

#[test]
fn what_a_node_says_commands_no_terminal() {
    let mut model = model();
    let nodes = &mut model.group.as_mut().unwrap().nodes;
    nodes[2].build = "\u{1b}]0;evil\u{7}".to_owned();
    for text in [
        screen(&mut model, 200, 20),
        crate::top::plain::plain(&model),
    ] {
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }
}

#[test]
fn the_same_as_text_has_every_column() {
    let text = crate::top::plain::plain(&model());
    assert!(text.starts_with("critical: bridge@0: it does not reach the group arena\n"));
    is_expected("plain", &text);
}
