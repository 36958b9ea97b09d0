use super::*;

const BRIDGE: NodeId = NodeId::new(1, 1);

/// A bridge with a call under way, and the time.
struct Scene {
    watch: Watch,
    seen: Seen,
    now: Instant,
}

impl Scene {
    fn new() -> Scene {
        let (mut watch, now) = (Watch::default(), Instant::now());
        watch.called(BRIDGE, &"bridge@0".parse().unwrap(), now);
        let seen = Seen {
            progress: (0, 0),
            unlinked: false,
            pending: true,
        };
        Scene { watch, seen, now }
    }

    /// Time passes, and the bridge is looked at.
    fn after(&mut self, ms: u64) -> Verdict {
        self.now += Duration::from_millis(ms);
        self.watch.look(BRIDGE, self.seen, self.now)
    }

    /// Looks every period for so long; the verdicts that ask for something, and when.
    fn during(&mut self, ms: u64) -> Vec<(u64, Verdict)> {
        let begun = self.now;
        let mut verdicts = Vec::new();
        while self.now < begun + Duration::from_millis(ms) {
            let verdict = self.after(20);
            if verdict != Verdict::Fine {
                verdicts.push(((self.now - begun).as_millis() as u64, verdict));
            }
        }
        verdicts
    }

    fn hear(&mut self) {
        self.seen.progress.0 += 1;
    }

    fn freeze(&mut self) {
        let verdicts = self.during(1000);
        assert_eq!(verdicts.last(), Some(&(1000, Verdict::FallenSilent)));
    }
}

#[test]
fn a_bridge_that_says_nothing_is_asked_a_few_times_and_given_up_after_a_second() {
    let mut scene = Scene::new();
    let verdicts = scene.during(1500);
    let probes = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Probe);
    assert_eq!(probes.count(), 4);
    assert!(verdicts[0].0 <= 50);
    let silent = verdicts
        .iter()
        .find(|(_, verdict)| *verdict == Verdict::FallenSilent);
    assert_eq!(silent.map(|(at, _)| *at), Some(1000));
    assert!(scene.watch.is_silent(BRIDGE));
}

#[test]
fn a_bridge_that_acknowledges_is_never_given_up_however_long_the_call_takes() {
    let mut scene = Scene::new();
    for _ in 0..500 {
        let verdicts = scene.during(60);
        assert!(
            verdicts
                .iter()
                .all(|(_, verdict)| *verdict == Verdict::Probe)
        );
        assert!(!verdicts.is_empty(), "it is asked for a sign of life");
        scene.hear();
    }
    assert!(!scene.watch.is_silent(BRIDGE));
}

#[test]
fn a_bridge_without_any_link_is_given_up_when_it_has_none_at_the_second_look_either() {
    let mut scene = Scene::new();
    scene.seen.unlinked = true;
    assert_eq!(scene.after(1), Verdict::AskAgain);
    assert_eq!(scene.after(20), Verdict::FallenSilent);
    // Whoever did not know yet.
    assert_eq!(scene.after(20), Verdict::StillSilent);
    scene.seen.pending = false;
    assert_eq!(scene.after(20), Verdict::Fine);
    assert!(!scene.watch.is_empty(), "it is remembered");
}

#[test]
fn a_bridge_whose_link_is_back_at_the_second_look_is_not_given_up() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.seen.unlinked = true;
        assert_eq!(scene.after(1), Verdict::AskAgain);
        scene.seen.unlinked = false;
        scene.hear();
        assert_eq!(scene.after(20), Verdict::Fine);
    }
}

#[test]
fn a_silent_bridge_is_used_again_as_soon_as_it_is_heard_of() {
    let mut scene = Scene::new();
    scene.freeze();
    scene.seen.pending = false;
    assert_eq!(scene.during(9000), []);
    assert!(scene.watch.is_silent(BRIDGE));
    scene.hear();
    assert_eq!(scene.after(20), Verdict::Back);
    assert!(!scene.watch.is_silent(BRIDGE));
    assert_eq!(scene.after(20), Verdict::Forget);
    assert!(scene.watch.is_empty());
}

#[test]
fn a_bridge_is_watched_only_while_calls_are_under_way() {
    let mut scene = Scene::new();
    scene.seen.pending = false;
    assert_eq!(scene.after(20), Verdict::Forget);
    assert!(scene.watch.is_empty());
    // The time in between says nothing of it.
    let now = scene.now + Duration::from_secs(60);
    scene
        .watch
        .called(BRIDGE, &"bridge@0".parse().unwrap(), now);
    scene.now = now;
    scene.seen.pending = true;
    assert_eq!(scene.after(20), Verdict::Probe);
}

#[test]
fn a_node_that_was_away_itself_blames_no_bridge() {
    let mut scene = Scene::new();
    scene.hear();
    assert_eq!(scene.after(20), Verdict::Fine);
    // Stopped for ten seconds: what has come meanwhile was not read yet.
    assert_ne!(scene.after(10_000), Verdict::FallenSilent);
    assert_eq!(scene.during(100)[0].1, Verdict::Probe);
    scene.hear();
    assert!(
        scene
            .during(900)
            .iter()
            .all(|(_, verdict)| *verdict == Verdict::Probe)
    );
}

#[test]
fn a_bridge_that_is_gone_is_watched_no_more() {
    let mut scene = Scene::new();
    scene.freeze();
    assert_eq!(scene.watch.forget(BRIDGE), "bridge@0".parse().ok());
    assert!(!scene.watch.is_silent(BRIDGE));
    assert_eq!(scene.after(20), Verdict::Fine);
    assert!(scene.watch.is_empty());
}
