//! What has happened, as somebody sees it who sees everything. It counts anew
//! and trusts none of the machines.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Login, NodeId, SessionId};

#[derive(Debug, Default)]
pub(crate) struct Record {
    /// By scene, login and number of the holding.
    holdings: BTreeMap<(NodeId, Login, u32), Holding>,
    frames: BTreeMap<Login, Frames>,
    offline: BTreeSet<Login>,
    /// Which scene had each login last, and whether it has left that.
    last: BTreeMap<Login, (NodeId, bool)>,
    dead: BTreeSet<NodeId>,
    /// Nodes of scenes that go on as others: nobody waits for what they still do.
    lost: BTreeSet<NodeId>,
    /// Logins whose gates have died.
    orphans: BTreeSet<Login>,
    pub(crate) counts: Counts,
}

/// That the schedules are worth something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) entered: u64,
    pub(crate) returned: u64,
    pub(crate) changed: u64,
    pub(crate) handled: u64,
    pub(crate) lost: u64,
    pub(crate) offlines: u64,
    pub(crate) superseded: u64,
    pub(crate) replaced: u64,
    pub(crate) put_aside: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.entered += other.entered;
        self.returned += other.returned;
        self.changed += other.changed;
        self.handled += other.handled;
        self.lost += other.lost;
        self.offlines += other.offlines;
        self.superseded += other.superseded;
        self.replaced += other.replaced;
        self.put_aside += other.put_aside;
    }

    /// Everything has happened often.
    pub(crate) fn check_worth(&self) {
        let all = [
            self.entered,
            self.returned,
            self.changed,
            self.handled,
            self.lost,
            self.offlines,
            self.superseded,
            self.replaced,
            self.put_aside,
        ];
        assert!(all.iter().all(|count| *count > 100), "{self:?}");
    }
}

#[derive(Debug)]
struct Holding {
    session: SessionId,
    phase: Phase,
    detached: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Seated,
    Entered,
    Ending,
    Ended,
}

#[derive(Debug, Default)]
struct Frames {
    /// To which scene each was sent, by its number.
    sent_to: Vec<NodeId>,
    /// The next that may be handled.
    next: u32,
    handled: BTreeSet<u32>,
}

impl Record {
    /// The scene has been told that it holds the session.
    pub(crate) fn seated(
        &mut self,
        scene: NodeId,
        session: &SessionId,
        login: Login,
        holding: u32,
    ) {
        let mut others = self.holdings.iter();
        let others = &mut others
            .by_ref()
            .filter(|((at, ..), _)| !self.lost.contains(at));
        if let Some((other, _)) = others.find(|(_, held)| held.session == *session) {
            panic!("{session} enters {scene} as {login}/{holding}, and is held by {other:?}");
        }
        self.last.insert(login, (scene, false));
        let holding = (scene, login, holding);
        let entry = Holding {
            session: session.clone(),
            phase: Phase::Seated,
            detached: 0,
        };
        self.holdings.insert(holding, entry);
    }

    /// Its script hears that. Returns which login it is.
    pub(crate) fn entered(&mut self, scene: &BTreeSet<NodeId>, session: &SessionId) -> Login {
        let here = self.holdings.iter_mut();
        let mut here =
            here.filter(|((at, ..), held)| scene.contains(at) && held.session == *session);
        let found = here.find(|(_, held)| held.phase == Phase::Seated);
        let found = found.unwrap_or_else(|| panic!("{session} enters {scene:?} twice, or unasked"));
        let ((_, login, _), held) = found;
        held.phase = Phase::Entered;
        self.counts.entered += 1;
        *login
    }

    /// A gate has sent the frame.
    pub(crate) fn forwarded(&mut self, login: Login, number: u32, scene: NodeId) {
        let frames = self.frames.entry(login).or_default();
        assert_eq!(
            frames.sent_to.len(),
            number as usize,
            "{login} sends out of turn"
        );
        frames.sent_to.push(scene);
    }

    /// A handler begins with the frame.
    pub(crate) fn handled(&mut self, scene: NodeId, login: Login, holding: u32, number: u32) {
        let is_lost = self.lost.contains(&scene);
        assert_eq!(
            self.held(scene, login, holding).phase,
            Phase::Entered,
            "frame of {login}"
        );
        let frames = self.frames.entry(login).or_default();
        assert_eq!(
            frames.sent_to.get(number as usize),
            Some(&scene),
            "{login}: {number}"
        );
        assert!(
            frames.handled.insert(number),
            "{login}: frame {number} is handled again"
        );
        if is_lost {
            return;
        }
        assert!(
            number >= frames.next,
            "{login}: frame {number} is handled again"
        );
        for skipped in frames.next..number {
            let lost_with = frames.sent_to[skipped as usize];
            let is_dead = self.dead.contains(&lost_with);
            assert!(
                is_dead,
                "{login}: frame {skipped} is lost, {number} is handled"
            );
            self.counts.lost += 1;
        }
        frames.next = number + 1;
        self.counts.handled += 1;
    }

    pub(crate) fn detached(&mut self, scene: NodeId, login: Login, holding: u32) {
        self.held(scene, login, holding).detached += 1;
    }

    pub(crate) fn reattached(&mut self, scene: NodeId, login: Login, holding: u32) {
        self.held(scene, login, holding).detached -= 1;
        self.forget_ended();
    }

    /// The script hears that it leaves, or is offline.
    pub(crate) fn ending(&mut self, scene: NodeId, login: Login, holding: u32, offline: bool) {
        let is_lost = self.lost.contains(&scene);
        let held = self.held(scene, login, holding);
        assert_eq!(held.phase, Phase::Entered, "end of {login}");
        assert!(
            offline || held.detached == 0,
            "{login} leaves under its handlers"
        );
        held.phase = Phase::Ending;
        if is_lost {
            return;
        }
        match offline {
            true => {
                assert!(self.offline.insert(login), "{login} is offline twice");
                self.counts.offlines += 1;
            }
            false => {
                self.last.insert(login, (scene, true));
                self.counts.changed += 1;
            }
        }
        self.check_handled(scene, login);
    }

    /// The script has done with that.
    pub(crate) fn ended(&mut self, scene: NodeId, login: Login, holding: u32) {
        let held = self.held(scene, login, holding);
        assert_eq!(held.phase, Phase::Ending);
        held.phase = Phase::Ended;
        self.forget_ended();
    }

    /// A scene has died: what it held is held by nobody.
    pub(crate) fn scene_died(&mut self, scene: NodeId) {
        self.dead.insert(scene);
        self.holdings.retain(|(at, ..), _| *at != scene);
    }

    /// A scene has lost the group. It goes on to the end with what it held, and the
    /// others go on as if it had died.
    pub(crate) fn scene_lost(&mut self, scene: NodeId) {
        self.counts.put_aside += self.held_by(scene) as u64;
        self.lost.insert(scene);
        self.dead.insert(scene);
    }

    /// A gate has died, with this login.
    pub(crate) fn gate_died(&mut self, login: Login) {
        self.orphans.insert(login);
    }

    /// Whether the scene holds the login, and its script knows.
    pub(crate) fn is_entered(&self, scene: NodeId, login: Login) -> bool {
        let mut held = self.holdings.iter();
        held.any(|((at, one, _), held)| {
            (*at, *one) == (scene, login) && held.phase == Phase::Entered
        })
    }

    pub(crate) fn held_by(&self, scene: NodeId) -> usize {
        self.holdings.keys().filter(|(at, ..)| *at == scene).count()
    }

    /// So many frames were sent, and every one of them has been handled, but for
    /// those that were given to a scene that is dead.
    pub(crate) fn check_all_handled(&self, login: Login, sent: u32) {
        let Some(frames) = self.frames.get(&login) else {
            return assert_eq!(sent, 0, "{login} was never heard");
        };
        assert_eq!(
            frames.sent_to.len(),
            sent as usize,
            "{login}: frames that wait"
        );
        let open = &frames.sent_to[frames.next as usize..];
        let lost = open.iter().all(|scene| self.dead.contains(scene));
        assert!(
            lost,
            "{login}: only {} of {sent} frames are handled",
            frames.next
        );
    }

    /// Everybody is gone. Whoever had a scene at the end, and one that lives, has
    /// been offline there; gates say themselves whether they may do without.
    pub(crate) fn check_all_offline(&self) {
        for (login, (scene, has_left)) in &self.last {
            let is_excused = *has_left || self.dead.contains(scene);
            let was_offline = self.offline.contains(login);
            assert!(
                is_excused || was_offline,
                "{login} was never offline in {scene}"
            );
        }
        let mut held = self.holdings.keys();
        assert_eq!(held.next(), None);
    }

    /// What was sent to a scene is handled before it hears of the end. But for
    /// what a gate has said that died: that was lost on its way.
    fn check_handled(&self, scene: NodeId, login: Login) {
        if let Some(frames) = self.frames.get(&login) {
            let open = &frames.sent_to[frames.next as usize..];
            assert!(
                self.orphans.contains(&login) || !open.contains(&scene),
                "{login} ends in {scene} before its frames"
            );
        }
    }

    fn held(&mut self, scene: NodeId, login: Login, holding: u32) -> &mut Holding {
        let found = self.holdings.get_mut(&(scene, login, holding));
        found.unwrap_or_else(|| panic!("{login}/{holding} is not in {scene}"))
    }

    fn forget_ended(&mut self) {
        let is_over = |held: &Holding| held.phase == Phase::Ended && held.detached == 0;
        self.holdings.retain(|_, held| !is_over(held));
    }
}
