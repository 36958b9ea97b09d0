//! What the table does, step by step.

mod lost;
mod schedules;

use super::*;

const GATE: NodeId = NodeId::new(1, 7);

fn enter(gate: NodeId, session: &str, login: u64) -> Enter {
    Enter {
        gate,
        session: session.parse().unwrap(),
        login: Login(login),
        holding: 1,
        online_time: login,
        from_scene: String::new(),
        extra_data: Bytes::new(),
    }
}

fn sessions() -> Sessions<()> {
    Sessions::default()
}

/// Runs everything that can be run; returns what was done, in words.
fn run_all(sessions: &mut Sessions<()>, seat: SeatId) -> Vec<String> {
    let mut done = Vec::new();
    while let Some((job, session, ())) = sessions.begin(seat) {
        done.push(match &job {
            Job::Enter { .. } => format!("{session} enters"),
            Job::Frame { cmd, .. } => format!("{session} says {cmd}"),
            Job::Leave { to_scene, .. } => format!("{session} leaves for {to_scene}"),
            Job::Offline { online_time, .. } => format!("{session} of {online_time} goes"),
        });
        if let Job::Frame {
            gate,
            login,
            holding,
            ..
        } = job
        {
            sessions.finish(gate, login, holding);
        }
        sessions.end(seat);
    }
    done
}

fn seat_of(entered: Entered) -> SeatId {
    match entered {
        Entered::Seated(seat) => seat,
        other => panic!("not seated: {other:?}"),
    }
}

#[test]
fn a_newer_login_sees_the_older_one_off_first() {
    let mut table = sessions();
    let seat = seat_of(table.enter(enter(GATE, "ann", 1), |_| ()));
    run_all(&mut table, seat);
    table.frame(GATE, Login(1), 5, Bytes::new());
    let other = NodeId::new(1, 8);
    let newer = enter(other, "ann", 2);
    let older = table.supersede(&newer.session, newer.login);
    assert_eq!(
        older.map(|held| (held.gate, held.login)),
        Some((GATE, Login(1)))
    );
    let seat = seat_of(table.enter(newer, |_| ()));
    table.frame(other, Login(2), 6, Bytes::new());
    assert_eq!(
        run_all(&mut table, seat),
        ["ann says 5", "ann of 1 goes", "ann enters", "ann says 6"]
    );
    // The older gate's own offline comes late and is about nobody.
    assert_eq!(table.offline(GATE, Login(1), 1), None);
    assert_eq!(table.find("ann").map(|held| held.login), Some(Login(2)));
}

#[test]
fn an_older_login_that_comes_late_is_turned_away() {
    let mut table = sessions();
    table.enter(enter(GATE, "ann", 2), |_| ());
    assert_eq!(table.supersede(&"ann".parse().unwrap(), Login(1)), None);
    assert_eq!(table.enter(enter(GATE, "ann", 1), |_| ()), Entered::Stale);
    assert_eq!(table.enter(enter(GATE, "ann", 2), |_| ()), Entered::Again);
    assert_eq!(table.connected(), 1);
}

#[test]
fn a_frame_of_nobody_is_finished_at_once() {
    let mut table = sessions();
    table.enter(enter(GATE, "ann", 1), |_| ());
    let stranger = NodeId::new(1, 9);
    assert_eq!(table.frame(stranger, Login(1), 5, Bytes::new()), None);
    assert_eq!(table.frame(GATE, Login(9), 5, Bytes::new()), None);
    let finished = table.take_finished();
    assert_eq!(finished.len(), 2);
    assert_eq!(
        finished[0],
        Finished {
            gate: GATE,
            logins: vec![Login(9)],
            frames: vec![1]
        }
    );
}

#[test]
fn only_one_job_of_a_seat_is_under_way() {
    let mut table = sessions();
    let seat = seat_of(table.enter(enter(GATE, "ann", 1), |_| ()));
    table.frame(GATE, Login(1), 5, Bytes::new());
    assert!(table.begin(seat).is_some());
    assert!(table.begin(seat).is_none());
    table.end(seat);
    assert!(table.begin(seat).is_some());
}

#[test]
fn a_mistake_is_new_once_a_session() {
    let mut table = sessions();
    let seat = seat_of(table.enter(enter(GATE, "ann", 1), |_| ()));
    assert!(table.complain(seat, Complaint::UnknownCmd));
    assert!(!table.complain(seat, Complaint::UnknownCmd));
    assert!(table.complain(seat, Complaint::BadBody));
}

/// Ann is here, with nothing to be done.
fn with_ann() -> (Sessions<()>, SeatId) {
    let mut table = sessions();
    let seat = seat_of(table.enter(enter(GATE, "ann", 1), |_| ()));
    run_all(&mut table, seat);
    (table, seat)
}

fn leave(table: &mut Sessions<()>) -> Option<SeatId> {
    table.leave(GATE, Login(1), 1, "scene@1".to_owned(), "asked".into())
}

/// What gates are told, in words.
fn told(table: &mut Sessions<()>) -> Vec<String> {
    let finished = table.take_finished().into_iter().flat_map(|finished| {
        let frames = finished.logins.into_iter().zip(finished.frames);
        frames.map(|(login, frames)| format!("{frames} of {login} finished"))
    });
    let mut told: Vec<String> = finished.collect();
    told.extend(table.take_left().into_iter().map(|left| {
        let how = if left.offline { "offline" } else { "left" };
        let with = String::from_utf8_lossy(&left.extra_data).into_owned();
        format!("{} {} {how} {with}", left.login, left.holding)
    }));
    told
}

#[test]
fn a_leave_comes_behind_the_frames_and_is_answered_behind_their_ends() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    assert_eq!(leave(&mut table), Some(seat));
    // Until it is done, messages go out, and nothing comes in.
    table.frame(GATE, Login(1), 6, Bytes::new());
    assert!(table.find("ann").is_some());
    assert_eq!(
        run_all(&mut table, seat),
        ["ann says 5", "ann leaves for scene@1"]
    );
    assert_eq!(told(&mut table), ["2 of 1 finished", "1 1 left asked"]);
    assert!(table.find("ann").is_none());
    assert!(table.is_idle());
}

#[test]
fn what_a_leave_says_goes_along_instead_of_what_was_asked() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(matches!(table.begin(seat), Some((Job::Leave { .. }, ..))));
    assert!(table.find("ann").is_some());
    assert_eq!(told(&mut table), [""; 0]);
    table.end_with(seat, Some("said".into()));
    assert_eq!(told(&mut table), ["1 1 left said"]);
}

#[test]
fn a_leave_waits_for_detached_frames() {
    let (mut table, seat) = with_ann();
    for cmd in [5, 6] {
        table.frame(GATE, Login(1), cmd, Bytes::new());
        assert!(table.begin(seat).is_some());
        table.detach(Login(1), 1);
        table.end(seat);
    }
    leave(&mut table);
    assert!(table.begin(seat).is_none());
    assert_eq!(table.finish_detached(GATE, Login(1), 1), None);
    assert!(table.begin(seat).is_none());
    assert_eq!(table.finish_detached(GATE, Login(1), 1), Some(seat));
    assert_eq!(run_all(&mut table, seat), ["ann leaves for scene@1"]);
    assert_eq!(told(&mut table), ["2 of 1 finished", "1 1 left asked"]);
}

#[test]
fn an_offline_runs_beside_detached_frames_and_its_answer_waits_for_them() {
    let (mut table, seat) = with_ann();
    table.frame(GATE, Login(1), 5, Bytes::new());
    assert!(table.begin(seat).is_some());
    table.detach(Login(1), 1);
    table.end(seat);
    table.offline(GATE, Login(1), 1);
    assert_eq!(run_all(&mut table, seat), ["ann of 1 goes"]);
    assert_eq!(told(&mut table), [""; 0]);
    assert!(table.holds(GATE) && !table.is_idle());
    assert_eq!(table.finish_detached(GATE, Login(1), 1), None);
    assert_eq!(told(&mut table), ["1 of 1 finished", "1 1 offline "]);
    assert!(table.is_idle());
}

#[test]
fn an_offline_takes_the_place_of_a_leave_that_has_not_begun() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert_eq!(table.offline(GATE, Login(1), 1), Some(seat));
    assert_eq!(run_all(&mut table, seat), ["ann of 1 goes"]);
    assert_eq!(told(&mut table), ["1 1 offline "]);
}

#[test]
fn a_leave_that_has_begun_is_followed_by_no_offline() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(table.begin(seat).is_some());
    assert_eq!(table.offline(GATE, Login(1), 1), None);
    table.end(seat);
    assert_eq!(told(&mut table), ["1 1 left asked"]);
    assert!(table.is_idle());
}

#[test]
fn a_gate_that_goes_turns_a_waiting_leave_into_an_offline_and_is_told_nothing() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert_eq!(table.lose_gate(GATE), [seat]);
    assert_eq!(run_all(&mut table, seat), ["ann of 1 goes"]);
    assert_eq!(told(&mut table), [""; 0]);

    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(table.begin(seat).is_some());
    assert_eq!(table.lose_gate(GATE), []);
    assert!(table.holds(GATE));
    table.end(seat);
    assert!(!table.holds(GATE) && table.is_idle());
    assert_eq!(told(&mut table), [""; 0]);
}

#[test]
fn what_is_asked_of_a_scene_without_the_session_is_answered_at_once() {
    let (mut table, seat) = with_ann();
    // Another holding, another gate, another login.
    let to = || ("scene@1".to_owned(), Bytes::new());
    assert_eq!(table.leave(GATE, Login(1), 2, to().0, to().1), None);
    assert_eq!(table.offline(NodeId::new(1, 9), Login(1), 1), None);
    assert_eq!(table.offline(GATE, Login(7), 1), None);
    let expected = ["1 2 offline ", "1 1 offline ", "7 1 offline "];
    assert_eq!(told(&mut table), expected);
    assert_eq!(run_all(&mut table, seat), [""; 0]);
    assert_eq!(table.connected(), 1);
}

#[test]
fn a_second_enter_of_a_login_harms_nothing() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(table.begin(seat).is_some());
    let again = Enter {
        holding: 2,
        ..enter(GATE, "ann", 1)
    };
    assert_eq!(table.enter(again, |_| ()), Entered::Again);
    table.end(seat);
    assert_eq!(told(&mut table), ["1 2 offline ", "1 1 left asked"]);
    assert!(table.is_idle());
}

#[test]
fn a_newer_login_does_not_wait_in_vain_for_a_leave() {
    let (mut table, seat) = with_ann();
    leave(&mut table);
    assert!(table.begin(seat).is_some());
    let newer = enter(NodeId::new(1, 8), "ann", 2);
    assert!(table.supersede(&newer.session, newer.login).is_some());
    assert_eq!(seat_of(table.enter(newer, |_| ())), seat);
    assert_eq!(table.connected(), 1);
    table.end(seat);
    assert_eq!(run_all(&mut table, seat), ["ann enters"]);
    assert_eq!(table.find("ann").map(|held| held.login), Some(Login(2)));
    assert_eq!(told(&mut table), ["1 1 left asked"]);
}

#[test]
fn a_change_is_asked_for_once_and_again_when_the_session_stays() {
    let (mut table, _) = with_ann();
    assert_eq!(table.ask("bob"), None);
    assert_eq!(table.ask("ann").map(|held| held.holding), Some(1));
    assert_eq!(table.ask("ann"), None);
    assert_eq!(table.ask_all(), []);
    assert_eq!(table.stay(NodeId::new(1, 9), Login(1)), None);
    assert_eq!(table.ask("ann"), None);
    assert_eq!(table.stay(GATE, Login(1)), "ann".parse().ok());
    assert_eq!(table.ask_all().len(), 1);
    leave(&mut table);
    assert_eq!(table.stay(GATE, Login(1)), None);
    assert_eq!(table.ask("ann"), None);
}
