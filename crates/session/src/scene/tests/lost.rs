//! Sessions of a scene that has lost its group, and is in it again.

use super::*;

/// The same login, after its gate has heard of the scene's return.
fn again(holding: u32) -> Enter {
    Enter {
        holding,
        ..enter(GATE, "ann", 1)
    }
}

#[test]
fn a_login_whose_gates_were_lost_enters_again_behind_its_offline() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    table.frame(GATE, Login(1), 6, Bytes::new());
    assert!(table.begin(seat).is_some());
    assert_eq!(table.lose_all(), [seat]);
    // The frame's handler waits still, and the scene is in its group again.
    assert_eq!(table.enter(again(2), |_| ()), Entered::Seated(seat));
    assert_eq!(table.find("ann").map(|held| held.holding), Some(2));
    assert_eq!(table.connected(), 1);
    table.frame(GATE, Login(1), 7, Bytes::new());
    table.finish(GATE, Login(1), 1);
    table.end(seat);
    let expected = ["ann says 6", "ann of 1 goes", "ann enters", "ann says 7"];
    assert_eq!(run_all(&mut table, seat), expected);
    assert_eq!(
        told(&mut table),
        ["1 of 1 finished"],
        "of the later holding"
    );
    assert!(table.find("ann").is_some());
    table.offline(GATE, Login(1), 2);
    assert_eq!(run_all(&mut table, seat), ["ann of 1 goes"]);
    assert_eq!(told(&mut table), ["1 2 offline "]);
    assert!(table.is_idle());
}

#[test]
fn a_login_that_was_lost_during_its_leave_enters_again_behind_that() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(table.begin(seat).is_some());
    assert_eq!(table.lose_all(), []);
    assert!(table.find("ann").is_none());
    assert_eq!(table.enter(again(2), |_| ()), Entered::Seated(seat));
    assert!(table.begin(seat).is_none());
    table.end(seat);
    assert_eq!(run_all(&mut table, seat), ["ann enters"]);
    assert_eq!(table.find("ann").map(|held| held.holding), Some(2));
    assert_eq!(told(&mut table), [""; 0]);
}

#[test]
fn detached_frames_of_a_lost_holding_hold_up_no_leave_of_the_next() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    assert!(table.begin(seat).is_some());
    table.detach(Login(1), 1);
    table.end(seat);
    table.lose_all();
    table.enter(again(2), |_| ());
    let to = "scene@1".to_owned();
    assert!(table.leave(GATE, Login(1), 2, to, Bytes::new()).is_some());
    let expected = ["ann of 1 goes", "ann enters", "ann leaves for scene@1"];
    assert_eq!(run_all(&mut table, seat), expected);
    assert_eq!(told(&mut table), ["1 2 left "]);
    assert!(table.holds(GATE), "a handler is under way");
    assert_eq!(table.finish_detached(GATE, Login(1), 1), None);
    assert_eq!(told(&mut table), [""; 0]);
    assert!(table.is_idle());
}

#[test]
fn several_holdings_of_a_login_may_be_lost() {
    let (mut table, seat) = with_ann();
    for holding in 2..5 {
        table.lose_all();
        assert_eq!(table.enter(again(holding), |_| ()), Entered::Seated(seat));
    }
    // Nobody counts like that, and nothing is upset by it.
    assert_eq!(table.enter(again(3), |_| ()), Entered::Again);
    assert_eq!(table.connected(), 1);
    let seen = run_all(&mut table, seat);
    assert_eq!(seen.iter().filter(|word| **word == "ann enters").count(), 3);
    assert_eq!(table.find("ann").map(|held| held.holding), Some(4));
}

#[test]
fn what_gates_have_not_been_told_when_they_are_lost_they_never_are() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    run_all(&mut table, seat);
    table.offline(GATE, Login(7), 1);
    assert!(table.has_news());
    table.lose_all();
    assert!(!table.has_news());
}

#[test]
fn a_scene_that_ends_tells_of_frames_and_not_of_ends() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    assert_eq!(table.abandon_all(), [seat]);
    // Frames that nobody handles are lost with the scene, and not finished.
    assert_eq!(table.frame(GATE, Login(1), 6, Bytes::new()), None);
    assert_eq!(run_all(&mut table, seat), ["ann says 5", "ann of 1 goes"]);
    assert_eq!(table.frame(GATE, Login(1), 7, Bytes::new()), None);
    assert_eq!(leave(&mut table), None);
    assert_eq!(told(&mut table), ["1 of 1 finished"]);
    assert!(table.is_idle());
}
