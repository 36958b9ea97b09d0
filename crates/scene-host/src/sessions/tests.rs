use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const GATE: NodeId = NodeId::new(1, 7);

fn enter(gate: NodeId, session: &str, login: u64) -> Enter {
    Enter {
        gate,
        session: session.parse().unwrap(),
        login: Login(login),
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
            Job::Offline { online_time } => format!("{session} of {online_time} goes"),
        });
        if let Job::Frame { gate, login, .. } = job {
            sessions.finish(gate, login);
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
    assert_eq!(table.offline(GATE, Login(1)), None);
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

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { gate: u32, session: u8, login: u64 },
    Frame { gate: u32, login: u64 },
    Offline { gate: u32, login: u64 },
    LoseGate(u32),
    LoseAll,
    Begin(usize),
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (gate, login) = (0u32..3, 1u64..12);
    prop_oneof![
        4 => (gate.clone(), 0u8..3, login.clone())
            .prop_map(|(gate, session, login)| Step::Enter { gate, session, login }),
        6 => (gate.clone(), login.clone()).prop_map(|(gate, login)| Step::Frame { gate, login }),
        2 => (gate.clone(), login).prop_map(|(gate, login)| Step::Offline { gate, login }),
        1 => gate.prop_map(Step::LoseGate),
        1 => Just(Step::LoseAll),
        6 => any::<usize>().prop_map(Step::Begin),
        6 => any::<usize>().prop_map(Step::End),
    ]
}

/// Drives a table as a host does, with jobs that end whenever they like, and
/// keeps what each session has seen.
#[derive(Default)]
struct Driver {
    table: Sessions<()>,
    seats: Vec<SeatId>,
    /// Jobs under way.
    running: Vec<(SeatId, Job)>,
    /// By session: the letters of what it saw.
    seen: BTreeMap<String, Vec<String>>,
    /// Frames that came, and frames that were reported back.
    came: BTreeMap<(NodeId, Login), u32>,
    back: BTreeMap<(NodeId, Login), u32>,
    entered: usize,
    frames: u16,
}

impl Driver {
    fn gate(number: u32) -> NodeId {
        NodeId::new(1, number + 1)
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Enter {
                gate,
                session,
                login,
            } => {
                let enter = enter(Self::gate(gate), &format!("s{session}"), login);
                if login % 2 == 0
                    && let Some(older) = self.table.supersede(&enter.session, enter.login)
                {
                    self.begin(older.seat);
                }
                if let Entered::Seated(seat) = self.table.enter(enter, |_| ()) {
                    self.entered += 1;
                    self.seats.push(seat);
                }
            }
            Step::Frame { gate, login } => {
                self.frames += 1;
                let (gate, login) = (Self::gate(gate), Login(login));
                *self.came.entry((gate, login)).or_default() += 1;
                self.table.frame(gate, login, self.frames, Bytes::new());
            }
            Step::Offline { gate, login } => {
                self.table.offline(Self::gate(gate), Login(login));
            }
            Step::LoseGate(gate) => {
                self.table.lose_gate(Self::gate(gate));
            }
            Step::LoseAll => {
                self.table.lose_all();
            }
            Step::Begin(pick) if !self.seats.is_empty() => {
                self.begin(self.seats[pick % self.seats.len()]);
            }
            Step::End(pick) if !self.running.is_empty() => {
                self.end(pick % self.running.len());
            }
            Step::Begin(_) | Step::End(_) => {}
        }
        for finished in self.table.take_finished() {
            for (login, frames) in finished.logins.iter().zip(&finished.frames) {
                *self.back.entry((finished.gate, *login)).or_default() += frames;
            }
        }
    }

    fn begin(&mut self, seat: SeatId) {
        let Some((job, session, ())) = self.table.begin(seat) else {
            return;
        };
        assert!(
            self.running.iter().all(|(other, _)| *other != seat),
            "two jobs of one seat are under way"
        );
        let word = match &job {
            Job::Enter { .. } => "enter".to_owned(),
            Job::Frame { cmd, .. } => format!("frame {cmd:05}"),
            Job::Offline { .. } => "offline".to_owned(),
        };
        self.seen.entry(session.to_string()).or_default().push(word);
        self.running.push((seat, job));
    }

    fn end(&mut self, index: usize) {
        let (seat, job) = self.running.swap_remove(index);
        if let Job::Frame { gate, login, .. } = job {
            self.table.finish(gate, login);
        }
        self.table.end(seat);
    }

    /// Lets everybody go and everything end.
    fn settle(&mut self) {
        self.act(Step::LoseAll);
        loop {
            while !self.running.is_empty() {
                self.end(0);
            }
            for seat in self.seats.clone() {
                self.begin(seat);
            }
            if self.running.is_empty() {
                break;
            }
        }
        self.act(Step::LoseAll);
    }
}

proptest! {
    #[test]
    fn whatever_happens_sessions_see_it_in_order_and_once(
        steps in prop::collection::vec(step(), 0..200)
    ) {
        let mut driver = Driver::default();
        for step in steps {
            driver.act(step);
        }
        driver.settle();

        prop_assert!(driver.table.is_idle(), "a seat was left behind");
        prop_assert_eq!(driver.table.connected(), 0);
        prop_assert!(driver.table.logins.is_empty());
        for session in ["s0", "s1", "s2"] {
            prop_assert!(driver.table.find(session).is_none());
        }
        // Every frame is finished, once, whoever sent it.
        prop_assert_eq!(&driver.came, &driver.back);

        let mut enters = 0;
        for (session, seen) in &driver.seen {
            let mut here = false;
            let mut last_frame = "";
            for word in seen {
                match word.as_str() {
                    "enter" => {
                        prop_assert!(!here, "{session} entered twice: {seen:?}");
                        here = true;
                        enters += 1;
                    }
                    "offline" => {
                        prop_assert!(here, "{session} went twice: {seen:?}");
                        here = false;
                    }
                    frame => {
                        prop_assert!(here, "{session} spoke while away: {seen:?}");
                        prop_assert!(last_frame < frame, "{session} was reordered: {seen:?}");
                        last_frame = frame;
                    }
                }
            }
            prop_assert!(!here, "{session} never went: {seen:?}");
        }
        prop_assert_eq!(enters, driver.entered, "an enter was lost");
    }
}
