//! One connection's life as the gate decides it, without a socket or a clock.
//! Which scene holds the session meanwhile is another matter, and decided in
//! `session::gate`.
//!
//! ```text
//! Connected ──first frame──► Verifying ──accepted──► Active
//!     └──────────┴─────any reason to end─────┴────────► Closed
//! ```
//!
//! What happens goes in as an [`Event`], what the gate has to do about it
//! comes out as an [`Effect`]. Nothing comes out of a closed session.

use bytes::Bytes;
use protocol::{
    Login, SessionId,
    client::{
        CMD_ACK, CMD_PING, FLAG_CLOSED, FLAG_COMPRESSED, FLAG_RESUME, FLAG_TICKET, Frame,
        redirect::{Redirect, Ticket},
        resume::{ResumeToken, decode_count, decode_resume},
    },
    v1::CloseReason,
};

/// A connection, from the first byte to the last.
#[derive(Debug, Default)]
pub(crate) struct Session {
    state: State,
    /// The client would like to come back when its connection is lost.
    wishes_resume: bool,
    /// It may.
    resumable: bool,
    /// Bodies may be compressed, in both directions.
    compresses: bool,
}

/// What happens to a connection.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The client sent a frame.
    Frame(Frame),
    /// The verifying scene has answered.
    Verified(Result<Accepted, Denied>),
    /// There is a reason to end it.
    Ended(CloseReason),
}

/// What the gate has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the verifying scene about this session key.
    Verify(String),
    /// Let in who has this ticket.
    Redeem(Ticket),
    /// Give the client its session back, of which so many messages have come.
    Resume(ResumeToken, u64),
    /// Tell the client, then let it enter its scene.
    Enter(Accepted),
    /// Send this to the scene that holds the session.
    Forward(Frame),
    /// Answer a ping.
    Pong(Bytes),
    /// So many messages have come to the client.
    Acknowledged(u64),
    /// Tell the client, close.
    End(End),
}

/// A client that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) session_id: SessionId,
    pub(crate) login: Login,
    pub(crate) reply: Bytes,
}

/// A client that was not let in, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The script said no.
    Refused(String),
    /// Nobody could be asked.
    Unavailable,
    /// A newer login of the same session has come.
    Superseded,
    /// There is no gate for it.
    NoGate,
    /// It goes on elsewhere.
    Redirected(Redirect),
}

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: CloseReason,
    /// What the client is told in place of the reason's name.
    pub(crate) text: Option<String>,
    /// Where it goes on, if it does.
    pub(crate) redirect: Option<Redirect>,
}

impl End {
    /// Told by the reason's name.
    pub(crate) fn of(reason: CloseReason) -> End {
        End {
            reason,
            text: None,
            redirect: None,
        }
    }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Connected,
    Verifying,
    Active,
    Closed,
}

impl Session {
    /// Decides what an event means. At most one effect follows from each.
    pub(crate) fn on(&mut self, event: Event) -> Option<Effect> {
        match (&self.state, event) {
            (State::Closed, _) => None,
            (_, Event::Ended(reason)) => Some(self.end(reason, None)),
            (State::Connected, Event::Frame(frame))
                if (frame.cmd, frame.flags) == (CMD_ACK, FLAG_RESUME) =>
            {
                Some(self.resume(&frame))
            }
            (State::Connected, Event::Frame(frame)) => Some(self.verification(frame)),
            (State::Verifying, Event::Frame(_)) => {
                Some(self.end(CloseReason::UnverifiedFrame, None))
            }
            (State::Active, Event::Frame(frame)) => Some(self.message(frame)),
            (State::Verifying, Event::Verified(Ok(accepted))) => {
                self.state = State::Active;
                Some(Effect::Enter(accepted))
            }
            (State::Verifying, Event::Verified(Err(Denied::Refused(text)))) => {
                Some(self.end(CloseReason::VerifyRefused, Some(text)))
            }
            (State::Verifying, Event::Verified(Err(Denied::Unavailable))) => {
                Some(self.end(CloseReason::VerifyUnavailable, None))
            }
            (State::Verifying, Event::Verified(Err(Denied::Superseded))) => {
                Some(self.end(CloseReason::Replaced, None))
            }
            (State::Verifying, Event::Verified(Err(Denied::NoGate))) => {
                Some(self.end(CloseReason::NoGate, None))
            }
            (State::Verifying, Event::Verified(Err(Denied::Redirected(redirect)))) => {
                self.state = State::Closed;
                let redirect = Some(redirect);
                Some(Effect::End(End {
                    redirect,
                    ..End::of(CloseReason::Redirected)
                }))
            }
            // Nobody was asked, or the answer has been heard.
            (State::Connected | State::Active, Event::Verified(_)) => None,
        }
    }

    /// Whether the client has yet to say who it is.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Whether the client would like to come back when its connection is lost.
    pub(crate) fn wishes_resume(&self) -> bool {
        self.wishes_resume
    }

    /// Whether bodies may be compressed.
    pub(crate) fn compresses(&self) -> bool {
        self.compresses
    }

    /// It may: from here on there are acknowledgements.
    pub(crate) fn grant_resume(&mut self) {
        self.resumable = true;
    }

    /// Whether the client has been let in.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state, State::Active)
    }

    fn verification(&mut self, frame: Frame) -> Effect {
        if frame.flags & !(FLAG_RESUME | FLAG_TICKET | FLAG_COMPRESSED) != 0 {
            return self.end(CloseReason::ProtocolError, None);
        }
        self.wishes_resume = frame.flags & FLAG_RESUME != 0;
        self.compresses = frame.flags & FLAG_COMPRESSED != 0;
        if frame.flags & FLAG_TICKET != 0 {
            return match frame.body[..].try_into() {
                Ok(ticket) => {
                    self.state = State::Verifying;
                    Effect::Redeem(Ticket(ticket))
                }
                Err(_) => self.end(CloseReason::ProtocolError, None),
            };
        }
        let refusal = match String::from_utf8(frame.body.into()) {
            Ok(key) if !key.is_empty() => {
                self.state = State::Verifying;
                return Effect::Verify(key);
            }
            Ok(_) => "the session key is empty",
            Err(_) => "the session key is not UTF-8 text",
        };
        self.end(CloseReason::VerifyRefused, Some(refusal.to_owned()))
    }

    /// Nothing follows: whatever comes of it, this connection has no session.
    fn resume(&mut self, frame: &Frame) -> Effect {
        match decode_resume(&frame.body) {
            Some((token, received)) => {
                self.state = State::Closed;
                Effect::Resume(token, received)
            }
            None => self.end(CloseReason::ProtocolError, None),
        }
    }

    fn message(&mut self, frame: Frame) -> Effect {
        if self.resumable && frame.cmd == CMD_ACK {
            return match (frame.flags, decode_count(&frame.body)) {
                (0, Some(count)) => Effect::Acknowledged(count),
                (FLAG_CLOSED, _) => self.end(CloseReason::ClientClosed, None),
                _ => self.end(CloseReason::ProtocolError, None),
            };
        }
        if frame.flags != 0 {
            return self.end(CloseReason::ProtocolError, None);
        }
        match frame.cmd {
            CMD_PING => Effect::Pong(frame.body),
            _ => Effect::Forward(frame),
        }
    }

    fn end(&mut self, reason: CloseReason, text: Option<String>) -> Effect {
        self.state = State::Closed;
        Effect::End(End {
            text,
            ..End::of(reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(cmd: u16, flags: u16, body: &'static str) -> Event {
        Event::Frame(Frame {
            cmd,
            flags,
            body: body.into(),
        })
    }

    fn accepted() -> Accepted {
        Accepted {
            session_id: "alice".parse().unwrap(),
            login: Login(7),
            reply: "hello".into(),
        }
    }

    fn active() -> Session {
        let mut session = Session::default();
        session.on(frame(0, 0, "key"));
        session.on(Event::Verified(Ok(accepted())));
        assert!(session.is_active());
        session
    }

    fn ended(effect: Option<Effect>) -> End {
        match effect {
            Some(Effect::End(end)) => end,
            other => panic!("expected an end, got {other:?}"),
        }
    }

    #[test]
    fn first_frame_of_any_cmd_is_the_session_key() {
        for cmd in [0, 1, 101, CMD_PING] {
            for flags in [0, FLAG_RESUME] {
                let mut session = Session::default();
                assert_eq!(
                    session.on(frame(cmd, flags, "key")),
                    Some(Effect::Verify("key".to_owned()))
                );
            }
        }
    }

    #[test]
    fn first_frame_that_is_no_text_is_refused_in_words() {
        let mut session = Session::default();
        let body = Bytes::from_static(b"\xff\xfe");
        let end = ended(session.on(Event::Frame(Frame {
            cmd: 0,
            flags: 0,
            body,
        })));
        assert_eq!(end.reason, CloseReason::VerifyRefused);
        assert_eq!(
            end.text.as_deref(),
            Some("the session key is not UTF-8 text")
        );
        let end = ended(Session::default().on(frame(0, 0, "")));
        assert_eq!(end.text.as_deref(), Some("the session key is empty"));
    }

    #[test]
    fn flags_that_mean_nothing_are_a_protocol_error() {
        let end = ended(Session::default().on(frame(0, 1, "key")));
        assert_eq!(end.reason, CloseReason::ProtocolError);
        let end = ended(active().on(frame(5, 2, "")));
        assert_eq!(end.reason, CloseReason::ProtocolError);
    }

    fn ack(flags: u16, body: &'static [u8]) -> Event {
        Event::Frame(Frame {
            cmd: CMD_ACK,
            flags,
            body: body.into(),
        })
    }

    #[test]
    fn client_that_may_resume_acknowledges_and_says_goodbye() {
        let mut session = active();
        assert!(!session.wishes_resume());
        session.grant_resume();
        let count = b"\x07\0\0\0\0\0\0\0";
        assert_eq!(session.on(ack(0, count)), Some(Effect::Acknowledged(7)));
        let end = ended(session.on(ack(FLAG_CLOSED, b"")));
        assert_eq!(end.reason, CloseReason::ClientClosed);
        for (flags, body) in [(0, &b"\x07"[..]), (FLAG_RESUME, count)] {
            let mut session = active();
            session.grant_resume();
            let end = ended(session.on(ack(flags, body)));
            assert_eq!(end.reason, CloseReason::ProtocolError);
        }
    }

    #[test]
    fn first_frame_may_be_a_token_and_nothing_follows_it() {
        let mut session = Session::default();
        let token = ResumeToken(*b"0123456789abcdef");
        let body = b"0123456789abcdef\x07\0\0\0\0\0\0\0";
        let effect = session.on(ack(FLAG_RESUME, body));
        assert_eq!(effect, Some(Effect::Resume(token, 7)));
        assert_eq!(session.on(frame(1, 0, "x")), None);
        let end = ended(Session::default().on(ack(FLAG_RESUME, b"short")));
        assert_eq!(end.reason, CloseReason::ProtocolError);
    }

    #[test]
    fn first_frame_may_be_a_ticket_of_sixteen_bytes() {
        for flags in [FLAG_TICKET, FLAG_TICKET | FLAG_RESUME] {
            let mut session = Session::default();
            let effect = session.on(frame(0, flags, "0123456789abcdef"));
            assert_eq!(effect, Some(Effect::Redeem(Ticket(*b"0123456789abcdef"))));
            assert_eq!(session.wishes_resume(), flags & FLAG_RESUME != 0);
            let effect = session.on(Event::Verified(Ok(accepted())));
            assert!(matches!(effect, Some(Effect::Enter(_))));
        }
        let end = ended(Session::default().on(frame(0, FLAG_TICKET, "short")));
        assert_eq!(end.reason, CloseReason::ProtocolError);
    }

    #[test]
    fn frame_before_the_answer_ends_the_connection() {
        let mut session = Session::default();
        session.on(frame(0, 0, "key"));
        let end = ended(session.on(frame(CMD_PING, 0, "")));
        assert_eq!(end.reason, CloseReason::UnverifiedFrame);
        assert_eq!(session.on(Event::Verified(Ok(accepted()))), None);
    }

    #[test]
    fn ping_is_answered_and_everything_else_is_forwarded() {
        let mut session = active();
        assert_eq!(
            session.on(frame(CMD_PING, 0, "x")),
            Some(Effect::Pong("x".into()))
        );
        for cmd in [0, 1, 65_534] {
            assert!(matches!(
                session.on(frame(cmd, 0, "x")),
                Some(Effect::Forward(frame)) if frame.cmd == cmd
            ));
        }
    }

    #[test]
    fn older_login_that_waited_for_its_turn_is_replaced() {
        let mut session = Session::default();
        session.on(frame(0, 0, "key"));
        let end = ended(session.on(Event::Verified(Err(Denied::Superseded))));
        assert_eq!(end.reason, CloseReason::Replaced);
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (
                any::<u16>(),
                0u16..4,
                prop::collection::vec(any::<u8>(), 0..4)
            )
                .prop_map(|(cmd, flags, body)| Event::Frame(Frame {
                    cmd,
                    flags,
                    body: body.into()
                })),
            Just(Event::Frame(Frame {
                cmd: 1,
                flags: 0,
                body: "k".into()
            })),
            Just(Event::Verified(Ok(accepted()))),
            Just(Event::Verified(Err(Denied::Refused("no".into())))),
            Just(Event::Verified(Err(Denied::Unavailable))),
            Just(Event::Verified(Err(Denied::Superseded))),
            (1i32..=26).prop_map(|n| Event::Ended(CloseReason::try_from(n).unwrap())),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: a key is verified before
        /// anybody enters, frames pass only in between, the end comes once
        /// and last.
        #[test]
        fn every_life_is_in_order_and_ends_once(
            events in prop::collection::vec(any_event(), 0..40)
        ) {
            let mut session = Session::default();
            let (mut verified, mut entered, mut ends) = (0, 0, 0);
            for event in events.into_iter().chain([Event::Ended(CloseReason::ClientClosed)]) {
                let effect = session.on(event);
                prop_assert!(ends == 0 || effect.is_none());
                match effect {
                    None => {}
                    Some(Effect::Verify(key)) => {
                        prop_assert!(!key.is_empty());
                        prop_assert_eq!((verified, entered), (0, 0));
                        verified += 1;
                    }
                    Some(Effect::Redeem(_)) => {
                        prop_assert!(false, "there is no ticket of so few bytes");
                    }
                    Some(Effect::Enter(_)) => {
                        prop_assert_eq!((verified, entered), (1, 0));
                        entered += 1;
                    }
                    Some(Effect::Forward(frame)) => {
                        prop_assert_eq!((entered, frame.flags), (1, 0));
                        prop_assert_ne!(frame.cmd, CMD_PING);
                    }
                    Some(Effect::Pong(_)) => prop_assert_eq!(entered, 1),
                    Some(Effect::Resume(..) | Effect::Acknowledged(_)) => {
                        prop_assert!(false, "nobody has asked for it");
                    }
                    Some(Effect::End(_)) => ends += 1,
                }
            }
            prop_assert_eq!(ends, 1);
        }
    }
}
