//! A large script is changed under many sessions that talk all the time.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use protocol::Login;
use scene_host::{Event, Inbox};

use crate::stage::{GATE, Stage, alone, log, messages};

const SESSIONS: u32 = 10_000;
const RELOADS: u32 = 6;

/// Some 2,000 lines that make a player of each session, a class and a handler
/// after another.
fn script(version: u32) -> String {
    let mut text = format!(
        r#"
import ffext
VERSION = {version}

class Player:
    def __init__(self, session):
        self.session = session
        self.position = {{'x': 0.0, 'y': 0.0}}
        self.bag = ['sword', ('arrow', 12)]

    def says(self, number):
        return [number, VERSION]

class World:
    def __init__(self):
        self.players = {{}}

world = ffext.singleton(World)

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key]

@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    kind = globals()['Kind%d' % (len(world.players) % 100)]
    world.players[session] = kind(session)

@ffext.session_call(1)
def say(session, number):
    ffext.send_msg_session(session, 1, world.players[session].says(number))
"#
    );
    for n in 0..100 {
        write!(
            text,
            r#"
class Kind{n}(Player):
    """A kind of players."""
    strength = {n}

    def __init__(self, session):
        super().__init__(session)
        self.health = 100

    def hit(self, points, by=None):
        if by is not None:
            points *= by.strength
        self.health = max(self.health - points, {version})
        return self.health

@ffext.session_call({cmd})
async def act{n}(session, message):
    player = world.players[session]
    ffext.send_msg_session(session, {cmd}, [player.hit(1), VERSION])
"#,
            cmd = n + 100
        )
        .unwrap();
    }
    text
}

/// Sends a frame of each session in turn, as fast as they are finished, until it is
/// told to stop; returns how many.
fn talk(inbox: &Inbox, finished: &AtomicU32, stop: &AtomicBool) -> u32 {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        if number >= finished.load(Ordering::Relaxed) + 2_000 {
            thread::yield_now();
            continue;
        }
        let frame = Event::Frame {
            gate: GATE,
            login: Login(u64::from(number % SESSIONS + 1)),
            cmd: 1,
            body: number.to_string().into(),
        };
        inbox.push(frame).unwrap();
        number += 1;
    }
    number
}

#[test]
fn a_large_script_is_reloaded_under_ten_thousand_sessions_and_no_frame_is_lost() {
    alone(|| async {
        assert!((1_900..2_200).contains(&script(0).lines().count()));
        let mut stage = Stage::start(&script(0)).await;
        for session in 1..=SESSIONS {
            stage.enter(&format!("player-{session}"), u64::from(session));
        }
        let (finished, stop) = (
            Arc::new(AtomicU32::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let talking = thread::spawn({
            let (inbox, finished, stop) =
                (stage.host.inbox().clone(), finished.clone(), stop.clone());
            move || talk(&inbox, &finished, &stop)
        });
        let handle = stage.host.handle();
        let mut seen: Vec<String> = Vec::new();
        let mut longest = Duration::ZERO;
        let mut version = 0;
        let mut reload = None;
        while version < RELOADS || reload.is_some() {
            // Between two messages there is never more than the reload.
            let begun = Instant::now();
            stage
                .until(|actions| (!messages(actions).is_empty()).then_some(()))
                .await;
            // The first one waits for all who enter.
            if !seen.is_empty() {
                longest = longest.max(begun.elapsed());
            }
            seen.extend(messages(&stage.take_actions()));
            finished.store(seen.len() as u32, Ordering::Relaxed);
            reload = match reload {
                None if seen.len() as u32 > (version + 1) * 10_000 => {
                    version += 1;
                    stage.write(&script(version));
                    let handle = handle.clone();
                    Some(tokio::spawn(async move {
                        let begun = Instant::now();
                        (handle.reload(None).await, begun.elapsed())
                    }))
                }
                Some(reloading) if reloading.is_finished() => {
                    let (outcome, elapsed) = reloading.await.unwrap();
                    assert!(outcome.ok && outcome.kept.is_empty(), "{outcome}");
                    println!("reload {version} was answered after {elapsed:?}");
                    None
                }
                other => other,
            };
        }
        stop.store(true, Ordering::Relaxed);
        let sent = talking.join().unwrap();
        while (seen.len() as u32) < sent {
            stage
                .until(|actions| (!messages(actions).is_empty()).then_some(()))
                .await;
            seen.extend(messages(&stage.take_actions()));
        }
        println!("{sent} frames, and never a pause of more than {longest:?}");
        let mut latest = 0;
        for (number, message) in seen.iter().enumerate() {
            let (_, body) = message.split_once("/1: ").unwrap();
            let (said, version): (usize, u32) = serde_json::from_str(body).unwrap();
            assert_eq!(said, number, "{message}: {}", log());
            assert!(version >= latest, "old code after new: {message}");
            latest = version;
        }
        assert_eq!(latest, RELOADS);
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        assert!(stage.stop().await);
    });
}
