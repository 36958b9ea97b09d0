//! What sessions see in random schedules.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter { gate: u32, session: u8, login: u64 },
    Frame { gate: u32, login: u64 },
    Leave { gate: u32, login: u64 },
    Offline { gate: u32, login: u64 },
    Detach(usize),
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
        2 => (gate.clone(), login.clone())
            .prop_map(|(gate, login)| Step::Leave { gate, login }),
        2 => (gate.clone(), login).prop_map(|(gate, login)| Step::Offline { gate, login }),
        2 => any::<usize>().prop_map(Step::Detach),
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
    /// Frames that go on beside the jobs.
    detached: Vec<(NodeId, Login, u32)>,
    /// By session: the letters of what it saw.
    seen: BTreeMap<String, Vec<String>>,
    /// Frames that came, and frames that were reported back.
    came: BTreeMap<(NodeId, Login), u32>,
    back: BTreeMap<(NodeId, Login), u32>,
    /// Holdings that began, and those whose end was told.
    entered: BTreeMap<(NodeId, Login), u32>,
    left: BTreeMap<(NodeId, Login), u32>,
    frames: u16,
    /// How often gates were lost: their logins enter again under higher numbers.
    losses: u32,
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
                let mut enter = enter(Self::gate(gate), &format!("s{session}"), login);
                let known = self.table.holdings.get(&enter.login);
                enter.holding = known.map_or(1 + self.losses, |known| known.held.holding);
                if login % 2 == 0
                    && let Some(older) = self.table.supersede(&enter.session, enter.login)
                {
                    self.begin(older.seat);
                }
                let key = (enter.gate, enter.login);
                if let Entered::Seated(seat) = self.table.enter(enter, |_| ()) {
                    *self.entered.entry(key).or_default() += 1;
                    self.seats.push(seat);
                }
            }
            Step::Frame { gate, login } => {
                self.frames += 1;
                let (gate, login) = (Self::gate(gate), Login(login));
                *self.came.entry((gate, login)).or_default() += 1;
                if self.frames.is_multiple_of(2) {
                    self.table.frame(gate, login, self.frames, Bytes::new());
                } else {
                    self.begin_frame(gate, login);
                }
            }
            Step::Leave { gate, login } => {
                let (gate, login) = (Self::gate(gate), Login(login));
                let known = self.knows(gate, login);
                let holding = known.unwrap_or(1);
                self.table
                    .leave(gate, login, holding, String::new(), Bytes::new());
                self.forget_answer(known.is_some());
            }
            Step::Offline { gate, login } => {
                self.offline(Self::gate(gate), Login(login));
            }
            Step::LoseGate(gate) => {
                let gate = Self::gate(gate);
                self.table.lose_gate(gate);
                self.forget(|lost| lost == gate);
            }
            Step::LoseAll => {
                self.table.lose_all();
                self.forget(|_| true);
            }
            Step::Begin(pick) if !self.seats.is_empty() => {
                self.begin(self.seats[pick % self.seats.len()]);
            }
            Step::End(pick) if !self.running.is_empty() => {
                self.end(pick % self.running.len());
            }
            Step::Detach(pick) if !self.running.is_empty() => {
                self.detach(pick % self.running.len());
            }
            Step::Begin(_) | Step::End(_) | Step::Detach(_) => {}
        }
        self.hear();
    }

    /// A frame whose turn it may be at once.
    fn begin_frame(&mut self, gate: NodeId, login: Login) {
        let cmd = self.frames;
        let Arrived::Begun { held, .. } = self.table.begin_frame(gate, login, cmd, Bytes::new())
        else {
            return;
        };
        let job = Job::Frame {
            gate,
            login,
            holding: held.holding,
            cmd,
            body: Bytes::new(),
        };
        let session = self
            .table
            .session(held.seat)
            .expect("it has begun")
            .to_string();
        self.has_begun(held.seat, job, session);
    }

    fn offline(&mut self, gate: NodeId, login: Login) {
        let known = self.knows(gate, login);
        self.table.offline(gate, login, known.unwrap_or(1));
        self.forget_answer(known.is_some());
    }

    /// The number of its holding, if that gate's login is here.
    fn knows(&self, gate: NodeId, login: Login) -> Option<u32> {
        let holding = self.table.holdings.get(&login)?;
        (holding.held.gate == gate).then_some(holding.held.holding)
    }

    /// Gates are gone: their frames are nobody's.
    fn forget(&mut self, lost: impl Fn(NodeId) -> bool) {
        self.losses += 1;
        self.came.retain(|(gate, _), _| !lost(*gate));
        self.back.retain(|(gate, _), _| !lost(*gate));
    }

    /// What nobody here was asked for is answered at once.
    fn forget_answer(&mut self, is_known: bool) {
        if !is_known {
            assert!(self.table.left.pop().is_some_and(|left| left.offline));
        }
    }

    /// Takes what gates are told, in the order in which they are.
    fn hear(&mut self) {
        for finished in self.table.take_finished() {
            for (login, frames) in finished.logins.iter().zip(&finished.frames) {
                *self.back.entry((finished.gate, *login)).or_default() += frames;
            }
        }
        for left in self.table.take_left() {
            let key = (left.gate, left.login);
            assert_eq!(
                self.came.get(&key),
                self.back.get(&key),
                "left with frames under way"
            );
            *self.left.entry(key).or_default() += 1;
        }
    }

    fn begin(&mut self, seat: SeatId) {
        let Some((job, session, ())) = self.table.begin(seat) else {
            return;
        };
        let session = session.to_string();
        self.has_begun(seat, job, session);
    }

    fn has_begun(&mut self, seat: SeatId, job: Job, session: String) {
        assert!(
            self.running.iter().all(|(other, _)| *other != seat),
            "two jobs of one seat are under way"
        );
        let word = match &job {
            Job::Enter { .. } => "enter".to_owned(),
            Job::Frame { cmd, .. } => format!("frame {cmd:05}"),
            Job::Leave { login, holding, .. } => {
                assert!(
                    self.detached
                        .iter()
                        .all(|(_, one, number)| (one, number) != (login, holding)),
                    "a leave began beside a frame"
                );
                "leave".to_owned()
            }
            Job::Offline { .. } => "offline".to_owned(),
        };
        self.seen.entry(session).or_default().push(word);
        self.running.push((seat, job));
    }

    fn end(&mut self, index: usize) {
        let (seat, job) = self.running.swap_remove(index);
        if let Job::Frame {
            gate,
            login,
            holding,
            ..
        } = job
        {
            self.table.finish(gate, login, holding);
        }
        // Either says the same of a frame.
        match job {
            Job::Frame { cmd, .. } if cmd % 3 == 0 => drop(self.table.end_frame(seat)),
            _ => self.table.end(seat),
        }
    }

    /// Detaches a frame, or ends one that is.
    fn detach(&mut self, index: usize) {
        if let (seat, ref job) = self.running[index]
            && let Job::Frame {
                gate,
                login,
                holding,
                ..
            } = *job
        {
            self.running.swap_remove(index);
            self.table.detach(login, holding);
            self.detached.push((gate, login, holding));
            self.table.end(seat);
        } else if let Some((gate, login, holding)) = self.detached.pop() {
            self.table.finish_detached(gate, login, holding);
        }
    }

    /// Lets everybody go and everything end.
    fn settle(&mut self, how: &Step) {
        for (gate, login) in self.entered.clone().into_keys() {
            if let Step::Offline { .. } = how {
                self.offline(gate, login);
            }
        }
        if let Step::LoseAll = how {
            self.act(Step::LoseAll);
        }
        loop {
            while !self.running.is_empty() {
                self.end(0);
            }
            for (gate, login, holding) in std::mem::take(&mut self.detached) {
                self.table.finish_detached(gate, login, holding);
            }
            for seat in self.seats.clone() {
                self.begin(seat);
            }
            if self.running.is_empty() {
                break;
            }
        }
        self.hear();
    }
}

proptest! {
    #[test]
    fn whatever_happens_sessions_see_it_in_order_and_once(
        steps in prop::collection::vec(step(), 0..200)
    ) {
        let mut driver = Driver::default();
        for step in &steps {
            driver.act(*step);
        }
        driver.settle(&Step::LoseAll);
        driver.check()?;
        for (key, left) in &driver.left {
            prop_assert!(*left <= driver.entered[key], "told twice that {key:?} has left");
        }
    }

    #[test]
    fn while_gates_live_they_are_told_once_of_each_holding_that_it_has_ended(
        steps in prop::collection::vec(step(), 0..200)
    ) {
        let mut driver = Driver::default();
        for step in &steps {
            if !matches!(step, Step::LoseAll | Step::LoseGate(_)) {
                driver.act(*step);
            }
        }
        driver.settle(&Step::Offline { gate: 0, login: 0 });
        driver.check()?;
        prop_assert_eq!(&driver.left, &driver.entered);
    }
}

impl Driver {
    /// Everything has ended, and went as it should.
    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.table.is_idle(), "something was left behind");
        prop_assert_eq!(self.table.connected(), 0);
        for session in ["s0", "s1", "s2"] {
            prop_assert!(self.table.find(session).is_none());
        }
        // Every frame is finished, once, whoever sent it.
        prop_assert_eq!(&self.came, &self.back);
        let mut enters = 0;
        for (session, seen) in &self.seen {
            let mut here = false;
            let mut last_frame = "";
            for word in seen {
                match word.as_str() {
                    "enter" => {
                        prop_assert!(!here, "{session} entered twice: {seen:?}");
                        here = true;
                        enters += 1;
                    }
                    "offline" | "leave" => {
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
        prop_assert_eq!(
            enters,
            self.entered.values().sum::<u32>(),
            "an enter was lost"
        );
        Ok(())
    }
}
