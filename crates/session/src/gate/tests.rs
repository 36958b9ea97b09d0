use std::collections::BTreeMap;

use super::*;

/// `scene@0` and `scene@1`, by the serials of their nodes.
const ZERO: NodeId = NodeId::new(1, 10);
const ONE: NodeId = NodeId::new(1, 11);
const BACK: NodeId = NodeId::new(1, 12);

/// By name: who it is, and whether it takes sessions.
struct Directory(BTreeMap<&'static str, (NodeId, bool)>);

impl Scenes for Directory {
    fn ready(&self, name: &NodeName) -> Option<NodeId> {
        let (node, ready) = self.0.get(name.as_str())?;
        ready.then_some(*node)
    }

    fn knows(&self, name: &NodeName) -> bool {
        self.0.contains_key(name.as_str())
    }
}

fn both() -> Directory {
    Directory(BTreeMap::from([
        ("scene@0", (ZERO, true)),
        ("scene@1", (ONE, true)),
    ]))
}

fn only_zero() -> Directory {
    Directory(BTreeMap::from([("scene@0", (ZERO, true))]))
}

fn nobody() -> Directory {
    Directory(BTreeMap::new())
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

/// Held by `scene@0`.
fn held() -> Life {
    let (life, effects) = Life::begin(name("scene@0"), &both());
    assert_eq!(effects, [enter(ZERO, 1, None)]);
    life
}

/// On its way from `scene@0` to another.
fn leaving(to: &str) -> Life {
    let mut life = held();
    let effects = life.change(ZERO, 1, name(to), "extra".into(), &both());
    let leave = Effect::Leave {
        scene: ZERO,
        holding: 1,
        to_scene: name(to),
        extra_data: "extra".into(),
    };
    assert_eq!(effects, [leave]);
    life
}

fn enter(scene: NodeId, holding: u32, from: Option<&str>) -> Effect {
    enter_with(scene, holding, from, "")
}

fn enter_with(scene: NodeId, holding: u32, from: Option<&str>, extra: &'static str) -> Effect {
    Effect::Enter {
        scene,
        holding,
        from_scene: from.map(name),
        extra_data: extra.into(),
    }
}

fn offline(scene: NodeId, holding: u32) -> Effect {
    Effect::Offline { scene, holding }
}

#[test]
fn a_login_enters_its_scene_and_ends_when_that_has_heard_of_it() {
    let mut life = held();
    assert_eq!(life.holder(), Some(ZERO));
    assert_eq!(life.client_gone(), [offline(ZERO, 1)]);
    assert_eq!(life.holder(), None);
    assert_eq!(life.client_gone(), []);
    assert_eq!(
        life.left(ZERO, 1, true, Bytes::new(), &both()),
        [Effect::Ended]
    );
    assert_eq!(life.left(ZERO, 1, true, Bytes::new(), &both()), []);
    assert_eq!(life.client_gone(), []);
}

#[test]
fn a_change_waits_for_the_old_scene_and_takes_its_word_along() {
    let mut life = leaving("scene@1");
    assert_eq!(life.holder(), None, "its frames are held");
    let effects = life.left(ZERO, 1, false, "better".into(), &both());
    assert_eq!(effects, [enter_with(ONE, 2, Some("scene@0"), "better")]);
    assert_eq!(life.holder(), Some(ONE));
}

#[test]
fn a_change_that_is_stale_or_not_the_holders_means_nothing() {
    let mut life = held();
    for (source, holding) in [(ONE, 1), (ZERO, 0), (ZERO, 2)] {
        let effects = life.change(source, holding, name("scene@1"), Bytes::new(), &both());
        assert_eq!(effects, [], "{source} {holding}");
    }
    let mut life = leaving("scene@1");
    let again = life.change(ZERO, 1, name("scene@1"), Bytes::new(), &both());
    assert_eq!(again, [], "it is going already");
}

#[test]
fn a_session_stays_where_the_target_is_unknown() {
    let mut life = held();
    let effects = life.change(ZERO, 1, name("scene@1"), Bytes::new(), &only_zero());
    let stay = Effect::Stay {
        scene: ZERO,
        to_scene: name("scene@1"),
    };
    assert_eq!(effects, [stay]);
    assert_eq!(life.holder(), Some(ZERO));
}

#[test]
fn a_session_is_held_for_a_target_that_has_gone_meanwhile() {
    let mut life = leaving("scene@1");
    let effects = life.left(ZERO, 1, false, "extra".into(), &only_zero());
    assert_eq!(effects, [Effect::Wait]);
    assert_eq!(life.scene_ready(&name("scene@0"), ZERO), []);
    let effects = life.scene_ready(&name("scene@1"), ONE);
    assert_eq!(effects, [enter_with(ONE, 2, Some("scene@0"), "extra")]);
}

#[test]
fn a_session_of_a_scene_that_drains_waits_for_the_next_of_its_name() {
    let mut life = leaving("scene@0");
    // The directory does not say yet that the scene is going.
    let effects = life.left(ZERO, 1, false, Bytes::new(), &both());
    assert_eq!(effects, [Effect::Wait]);
    assert_eq!(life.scene_ready(&name("scene@0"), ZERO), []);
    assert_eq!(life.scene_gone(ZERO, &nobody()), []);
    let effects = life.scene_ready(&name("scene@0"), BACK);
    assert_eq!(effects, [enter(BACK, 2, Some("scene@0"))]);
}

#[test]
fn a_session_waits_for_its_scene_to_return() {
    let mut life = held();
    let effects = life.scene_gone(ZERO, &nobody());
    assert_eq!(effects, [Effect::Lost(ZERO), Effect::Wait]);
    assert!(life.is_waiting());
    let effects = life.scene_ready(&name("scene@0"), BACK);
    assert_eq!(effects, [enter(BACK, 2, Some("scene@0"))]);
    assert_eq!(life.left(ZERO, 1, true, Bytes::new(), &both()), []);
    assert_eq!(life.scene_gone(ZERO, &both()), []);
}

#[test]
fn a_session_goes_on_where_its_scene_died_while_it_left() {
    let mut life = leaving("scene@1");
    let effects = life.scene_gone(ZERO, &both());
    let enter = enter_with(ONE, 2, Some("scene@0"), "extra");
    assert_eq!(effects, [Effect::Lost(ZERO), enter]);
}

#[test]
fn a_session_does_not_wait_for_ever() {
    let (mut life, effects) = Life::begin(name("scene@0"), &nobody());
    assert_eq!(effects, [Effect::Wait]);
    let close = Effect::Close(CloseReason::SceneLost);
    assert_eq!(life.give_up(), [close, Effect::Ended]);
    assert_eq!(life.give_up(), []);
    assert_eq!(held().give_up(), []);
}

#[test]
fn the_end_of_a_session_that_nobody_holds_is_nobodys_business() {
    let (mut life, _) = Life::begin(name("scene@0"), &nobody());
    assert_eq!(life.client_gone(), [Effect::Ended]);
    assert_eq!(life.scene_ready(&name("scene@0"), ZERO), []);
}

#[test]
fn an_offline_that_overtakes_the_leave_is_the_old_scenes() {
    let mut life = leaving("scene@1");
    assert_eq!(life.client_gone(), [offline(ZERO, 1)]);
    let effects = life.left(ZERO, 1, true, Bytes::new(), &both());
    assert_eq!(effects, [Effect::Ended]);
}

#[test]
fn an_offline_behind_the_leave_is_the_next_scenes() {
    let mut life = leaving("scene@1");
    life.client_gone();
    let effects = life.left(ZERO, 1, false, "extra".into(), &both());
    let enter = enter_with(ONE, 2, Some("scene@0"), "extra");
    assert_eq!(effects, [enter, offline(ONE, 2)]);
    // The old scene's answer to the offline, which knew of nothing any more.
    assert_eq!(life.left(ZERO, 1, true, Bytes::new(), &both()), []);
    let effects = life.left(ONE, 2, true, Bytes::new(), &both());
    assert_eq!(effects, [Effect::Ended]);
}

#[test]
fn an_offline_behind_the_leave_to_nowhere_ends_it() {
    let mut life = leaving("scene@1");
    life.client_gone();
    let effects = life.left(ZERO, 1, false, Bytes::new(), &only_zero());
    assert_eq!(effects, [Effect::Ended]);
}

#[test]
fn a_scene_that_goes_while_it_says_offline_ends_the_session() {
    let mut life = held();
    life.client_gone();
    assert_eq!(life.scene_gone(ONE, &both()), []);
    let effects = life.scene_gone(ZERO, &both());
    assert_eq!(effects, [Effect::Lost(ZERO), Effect::Ended]);
}

#[test]
fn a_scene_that_does_not_want_the_session_closes_it() {
    for mut life in [held(), leaving("scene@1")] {
        let effects = life.left(ZERO, 1, true, Bytes::new(), &both());
        let close = Effect::Close(CloseReason::ClosedByScene);
        assert_eq!(effects, [close, Effect::Ended]);
    }
}
