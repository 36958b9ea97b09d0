//! What scenes tell the gate about its sessions. All of it is called in order
//! on the reader of a link, so none of it waits: queues take it, or refuse it.
//!
//! Any node of the group may speak to clients; who sends a session elsewhere,
//! closes it, or lets it join a channel, has to be the scene that holds it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::{
    Login, NodeId, NodeName,
    v1::{ChangeScene, Close, CloseReason, Deliver, Finished, Left, Membership},
};
use tracing::{debug, warn};

use crate::{
    channels::{CHANNELS_OF_A_SESSION, LONGEST_NAME},
    handle::{Handle, Pushed},
    message::Outgoing,
    metrics::{DropReason, Metrics},
    seat::Seat,
    sessions::Sessions,
};

/// `gate.deliver`: one message for some clients, for a channel, or for all of
/// them. It is encoded once, and every socket writes the same bytes.
pub(crate) fn deliver(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Sessions {
        table,
        metrics,
        flusher,
        ..
    } = sessions;
    let Some(message) = decode::<Deliver>(metrics, source, body) else {
        return;
    };
    let Ok(cmd) = u16::try_from(message.cmd) else {
        return malformed(metrics, source, "cmd does not fit in 16 bits");
    };
    let compress_from = sessions.compress_bytes.get();
    let outgoing = Outgoing::new(cmd, message.body, compress_from, metrics);
    let mut list = Vec::new();
    let mut push = |handle: &Arc<Handle>| {
        let frame = outgoing.frame(handle);
        handle.deliver(frame, message.latest, &mut list)
    };
    if !message.channel.is_empty() {
        let channels = &sessions.channels;
        channels.for_each(&message.channel, |handle| metrics.pushed(push(handle)));
    } else if message.logins.is_empty() {
        // Those who are about to go are no clients any more.
        table.for_each(|seat| match push(&seat.handle) {
            Pushed::Closing => {}
            pushed => metrics.pushed(pushed),
        });
    } else {
        for login in message.logins {
            match table.get(Login(login)) {
                Some(seat) => metrics.pushed(push(&seat.handle)),
                // It has gone while the message was on its way.
                None => metrics.dropped(DropReason::UnknownLogin),
            }
        }
    }
    flusher.list(&mut list);
}

/// `gate.channel`: a session joins or leaves a channel.
pub(crate) fn channel(sessions: &Sessions, source: NodeId, body: Bytes) {
    let metrics = &sessions.metrics;
    let Some(message) = decode::<Membership>(metrics, source, body) else {
        return;
    };
    if !(1..=LONGEST_NAME).contains(&message.channel.len()) {
        return malformed(
            metrics,
            source,
            "a channel's name is 1 to 128 bytes of text",
        );
    }
    let Some(seat) = find(sessions, message.login) else {
        return;
    };
    let mut hold = seat.lock();
    if hold.gone || !hold.is_of(source) {
        return metrics.dropped(DropReason::NotHolder);
    }
    let joined = &mut hold.rare().channels;
    let place = joined.iter().position(|name| **name == *message.channel);
    match (message.leaves, place) {
        (true, Some(place)) => {
            let name = joined.swap_remove(place);
            sessions.channels.leave(&name, seat.login);
        }
        (false, None) if joined.len() < CHANNELS_OF_A_SESSION => {
            let name: Arc<str> = message.channel.into();
            sessions.channels.join(&name, seat.login, &seat.handle);
            joined.push(name);
        }
        (false, None) => {
            metrics.dropped(DropReason::TooManyChannels);
            warn!(
                session_id = seat.session_id.as_str(),
                "session is in too many channels"
            );
        }
        (true, None) | (false, Some(_)) => {}
    }
}

/// `gate.change`: a scene sends a session elsewhere.
pub(crate) fn change(sessions: &Sessions, source: NodeId, body: Bytes) {
    let metrics = &sessions.metrics;
    let Some(message) = decode::<ChangeScene>(metrics, source, body) else {
        return;
    };
    let to_scene: NodeName = match message.to_scene.parse() {
        Ok(name) => name,
        Err(error) => {
            let error: protocol::NameError = error;
            return malformed(metrics, source, &error.to_string());
        }
    };
    if let Some(seat) = find(sessions, message.login) {
        let ChangeScene {
            holding,
            extra_data,
            ..
        } = message;
        sessions.decide(&seat, |life, scenes| {
            life.change(source, holding, to_scene, extra_data, scenes)
        });
    }
}

/// `session.left`: a scene does not hold a session any more.
pub(crate) fn left(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Some(message) = decode::<Left>(&sessions.metrics, source, body) else {
        return;
    };
    if let Some(seat) = find(sessions, message.login) {
        let Left {
            holding,
            offline,
            extra_data,
            ..
        } = message;
        sessions.decide(&seat, |life, scenes| {
            life.left(source, holding, offline, extra_data, scenes)
        });
    }
}

/// `gate.close`: the scene that holds a session, or the owner, ends it.
pub(crate) fn close(sessions: &Sessions, source: NodeId, body: Bytes) {
    let metrics = &sessions.metrics;
    let Some(message) = decode::<Close>(metrics, source, body) else {
        return;
    };
    let reason = match message.reason() {
        CloseReason::Unspecified => CloseReason::ClosedByScene,
        reason => reason,
    };
    let Some(seat) = find(sessions, message.login) else {
        return;
    };
    if sessions.owner.is(source) {
        seat.handle.close(reason);
    } else if !seat.close_by(source, reason) {
        metrics.dropped(DropReason::NotHolder);
        debug!(
            session_id = seat.session_id.as_str(),
            peer_id = %source,
            "close of a session that the scene does not hold");
    }
}

/// `session.finished`: the handlers of some frames are done.
pub(crate) fn finished(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Sessions { table, metrics, .. } = sessions;
    let Some(message) = decode::<Finished>(metrics, source, body) else {
        return;
    };
    if message.logins.len() != message.frames.len() {
        return malformed(metrics, source, "as many logins as counts are needed");
    }
    for (login, frames) in message.logins.into_iter().zip(message.frames) {
        if let Some(seat) = table.get(Login(login)) {
            seat.finish(source, frames);
        }
    }
}

/// The seat of a login that is not over; what is said of the others came late.
fn find(sessions: &Sessions, login: u64) -> Option<Arc<Seat>> {
    sessions.table.get(Login(login))
}

fn decode<M: Message + Default>(metrics: &Metrics, source: NodeId, body: Bytes) -> Option<M> {
    match M::decode(body) {
        Ok(message) => Some(message),
        Err(error) => {
            malformed(metrics, source, &error.to_string());
            None
        }
    }
}

fn malformed(metrics: &Metrics, source: NodeId, error: &str) {
    metrics.dropped(DropReason::Malformed);
    warn!(peer_id = %source, error, "message of a scene dropped");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::client::encode_frame;
    use session::gate::Life;

    use super::*;
    use crate::{outbound::Batch, tests, window::SessionWindow};

    const SCENE: NodeId = NodeId::new(1, 1);

    struct Fixture {
        sessions: Sessions,
        seats: Vec<Arc<Seat>>,
    }

    /// Sessions with the logins 0, 1 and 2.
    fn fixture() -> Fixture {
        let config = tests::config(tests::limits());
        let sessions = Sessions::new(&config);
        sessions.directory.upsert(SCENE, &config.verify, true);
        let seats = (0..3).map(|login| {
            let who = (Login(login), "alice".parse().unwrap());
            let window = SessionWindow::new(2, 1_000);
            let seat = Arc::new(Seat::new(who, 0, tests::handle(), window));
            sessions.table.insert(&seat).unwrap();
            let (life, _) = Life::begin(config.verify.clone(), &sessions.directory);
            let mut hold = seat.lock();
            hold.life = Some(life);
            hold.begin(sessions.table.window(SCENE));
            drop(hold);
            seat
        });
        let seats = seats.collect();
        Fixture { sessions, seats }
    }

    impl Fixture {
        fn frames(&self, session: usize) -> Vec<Bytes> {
            let mut batch = Batch::default();
            self.seats[session].handle.collect(&mut batch);
            std::iter::from_fn(|| batch.pop()).collect()
        }

        fn deliver(&self, logins: Vec<u64>, cmd: u32) {
            let message = Deliver {
                logins,
                cmd,
                body: "hi".into(),
                ..Deliver::default()
            };
            deliver(&self.sessions, SCENE, message.encode_to_vec().into());
        }
    }

    #[test]
    fn message_reaches_those_it_names_and_unknown_ones_are_ignored() {
        let fixture = fixture();
        fixture.deliver(vec![0, 2, 77], 5);
        let expected = vec![encode_frame(5, 0, b"hi")];
        assert_eq!(fixture.frames(0), expected);
        assert!(fixture.frames(1).is_empty());
        assert_eq!(fixture.frames(2), expected);
    }

    #[test]
    fn message_for_nobody_in_particular_reaches_all_with_one_copy_of_its_bytes() {
        let fixture = fixture();
        fixture.deliver(vec![], 5);
        let pointers: Vec<_> = (0..3).map(|n| fixture.frames(n)[0].as_ptr()).collect();
        assert_eq!(pointers, vec![pointers[0]; 3]);
    }

    #[test]
    fn cmd_that_a_frame_cannot_carry_is_dropped() {
        let fixture = fixture();
        fixture.deliver(vec![], 65_536);
        assert!(fixture.frames(0).is_empty());
    }

    #[test]
    fn close_without_a_known_reason_is_the_scenes_wish() {
        let fixture = fixture();
        for (login, reason, expected) in [
            (0, 0, CloseReason::ClosedByScene),
            (1, 999, CloseReason::ClosedByScene),
            (2, CloseReason::Replaced as i32, CloseReason::Replaced),
        ] {
            let message = Close { login, reason };
            let body: Bytes = message.encode_to_vec().into();
            let handle = &fixture.seats[login as usize].handle;
            close(&fixture.sessions, NodeId::new(1, 9), body.clone());
            assert_eq!(handle.collect(&mut Batch::default()).asked, None);
            close(&fixture.sessions, SCENE, body);
            let mail = handle.collect(&mut Batch::default());
            assert_eq!(mail.asked, Some(expected));
        }
    }

    proptest! {
        #[test]
        fn garbage_from_a_scene_is_harmless(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let fixture = fixture();
            for order in [deliver, channel, change, left, close, finished] {
                order(&fixture.sessions, SCENE, body.clone().into());
            }
            prop_assert!(fixture.sessions.table.seats() <= 3);
        }
    }
}
