//! What scenes tell the gate about its sessions. All of it is called in order
//! on the reader of a link, so none of it waits: queues take it, or refuse it.

use bytes::Bytes;
use prost::Message;
use protocol::{
    Login, NodeId,
    client::encode_frame,
    v1::{Close, CloseReason, Deliver, Finished},
};
use tracing::warn;

use crate::{
    handle::{Handle, Pushed},
    metrics::{DropReason, Metrics},
    shared::Sessions,
};

/// `gate.deliver`: one message for some clients, or for all of them. It is
/// encoded once, and every socket writes the same bytes.
pub(crate) fn deliver(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Sessions { table, metrics } = sessions;
    let Some(message) = decode::<Deliver>(metrics, source, body) else {
        return;
    };
    let Ok(cmd) = u16::try_from(message.cmd) else {
        return malformed(metrics, source, "cmd does not fit in 16 bits");
    };
    let frame = encode_frame(cmd, 0, &message.body);
    if message.logins.is_empty() {
        table.for_each(|seat| push(&seat.handle, metrics, frame.clone()));
        return;
    }
    for login in message.logins {
        match table.get(Login(login)) {
            Some(seat) => push(&seat.handle, metrics, frame.clone()),
            // It has gone while the message was on its way.
            None => metrics.dropped(DropReason::UnknownLogin),
        }
    }
}

/// `gate.close`: the scene ends a session.
pub(crate) fn close(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Sessions { table, metrics } = sessions;
    let Some(message) = decode::<Close>(metrics, source, body) else {
        return;
    };
    let reason = match message.reason() {
        CloseReason::Unspecified => CloseReason::ClosedByScene,
        reason => reason,
    };
    if let Some(seat) = table.get(Login(message.login)) {
        seat.handle.close(reason);
    }
}

/// `session.finished`: the handlers of some frames are done.
pub(crate) fn finished(sessions: &Sessions, source: NodeId, body: Bytes) {
    let Sessions { table, metrics } = sessions;
    let Some(message) = decode::<Finished>(metrics, source, body) else {
        return;
    };
    if message.logins.len() != message.frames.len() {
        return malformed(metrics, source, "as many logins as counts are needed");
    }
    for (login, frames) in message.logins.into_iter().zip(message.frames) {
        table.finish(source, Login(login), frames);
    }
}

fn push(handle: &Handle, metrics: &Metrics, frame: Bytes) {
    match handle.push(frame) {
        Pushed::Queued => {}
        Pushed::Overflowed => metrics.dropped(DropReason::SlowConsumer),
        Pushed::Closing => metrics.dropped(DropReason::Closing),
    }
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
    warn!(%source, error, "message of a scene dropped");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        outbound::{Batch, Outbound},
        table::Table,
        window::{SceneWindow, SessionWindow},
    };

    const SCENE: NodeId = NodeId::new(1, 1);

    struct Fixture {
        sessions: Sessions,
        handles: Vec<Arc<Handle>>,
        window: Arc<SceneWindow>,
    }

    /// Sessions with the logins 0, 1 and 2.
    fn fixture() -> Fixture {
        let sessions = Sessions {
            table: Table::new(1_000),
            metrics: Metrics::new(),
        };
        let mut window = None;
        let handles: Vec<_> = (0..3)
            .map(|login| {
                let handle = Arc::new(Handle::new(
                    Outbound::new(9, 900),
                    SessionWindow::new(2, 1_000),
                ));
                handle.activate();
                window = sessions
                    .table
                    .insert(Login(login), SCENE, handle.clone())
                    .ok();
                handle
            })
            .collect();
        Fixture {
            sessions,
            handles,
            window: window.unwrap(),
        }
    }

    impl Fixture {
        fn frames(&self, session: usize) -> Vec<Bytes> {
            let mut batch = Batch::default();
            self.handles[session].collect(&mut batch);
            std::iter::from_fn(|| batch.pop()).collect()
        }

        fn deliver(&self, logins: Vec<u64>, cmd: u32) {
            let message = Deliver {
                logins,
                cmd,
                body: "hi".into(),
            };
            deliver(&self.sessions, SCENE, message.encode_to_vec().into());
        }

        fn finished(&self, source: NodeId, logins: Vec<u64>, frames: Vec<u32>) {
            let message = Finished { logins, frames };
            finished(&self.sessions, source, message.encode_to_vec().into());
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
            let body = message.encode_to_vec().into();
            close(&fixture.sessions, SCENE, body);
            let mail = fixture.handles[login as usize].collect(&mut Batch::default());
            assert_eq!(mail.asked, Some(expected));
        }
    }

    #[test]
    fn finished_frames_make_room_in_both_windows() {
        let fixture = fixture();
        assert!(fixture.window.try_take(300));
        fixture.handles[0].send(100);
        fixture.handles[0].send(100);
        fixture.handles[1].send(100);
        fixture.finished(SCENE, vec![0, 1, 77], vec![2, 1, 9]);
        assert_eq!(fixture.window.available(), 1_000);
        assert!(
            fixture.handles[0]
                .collect(&mut Batch::default())
                .window_open
        );
    }

    #[test]
    fn only_the_scene_of_a_session_finishes_its_frames() {
        let fixture = fixture();
        assert!(fixture.window.try_take(100));
        fixture.handles[0].send(100);
        fixture.finished(NodeId::new(1, 9), vec![0], vec![1]);
        fixture.finished(SCENE, vec![0], vec![]);
        assert_eq!(fixture.window.available(), 900);
    }

    proptest! {
        #[test]
        fn garbage_from_a_scene_is_harmless(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let fixture = fixture();
            for order in [deliver, close, finished] {
                order(&fixture.sessions, SCENE, body.clone().into());
            }
            prop_assert!(fixture.window.available() <= 1_000);
        }
    }
}
