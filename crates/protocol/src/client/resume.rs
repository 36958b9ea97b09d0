//! What both ends of a connection keep so that another one can go on where it broke
//! off: how many messages have come, and those that may have to be sent again. Neither
//! does any I/O.
//!
//! A message is a frame of the game's. Both ends count the messages of each direction
//! from the login's answer on; see `proto/clients.md`.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{CMD_ACK, CMD_PING, CMD_VERIFY, FLAG_RESUME, HEAD_BYTES, encode_frame};

/// After so many messages, or bytes of their bodies, the other end is told that they
/// have come.
pub const ACK_MESSAGES: u64 = 16;
/// See [`ACK_MESSAGES`].
pub const ACK_BYTES: usize = 16 * 1024;

/// What a client shows to go on with a session: as good as its key, and known to one
/// gate alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResumeToken(pub [u8; 16]);

/// The answer to a login that may be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeOffer {
    /// To be shown when the connection is lost.
    pub token: ResumeToken,
    /// For so many seconds the gate waits for a client that is away.
    pub seconds: u32,
    /// What the game says.
    pub reply: Bytes,
}

/// Why a count of the other end makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The other end has seen more than was sent.
    #[error("{count} messages came, it is said, and {sent} were sent")]
    Future {
        /// What it says.
        count: u64,
        /// What is true.
        sent: u64,
    },
    /// It has said more before.
    #[error("{count} messages came, it is said, after {before} were said to have")]
    Lower {
        /// What it says.
        count: u64,
        /// What it has said.
        before: u64,
    },
    /// It lacks messages that were kept for as long as there was room for them.
    #[error("{missing} messages that did not come are not kept any more")]
    Forgotten {
        /// How many.
        missing: u64,
    },
}

/// Messages that are sent, and kept until the other end says that they have come.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many there were before those that are kept.
    before: u64,
    kept: VecDeque<Bytes>,
    bytes: usize,
    /// How many of those kept have gone out on this connection.
    gone: usize,
    /// The last count of the other end.
    acked: u64,
}

/// How many messages have come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    count: u64,
    /// What the other end has been told.
    told: u64,
    bytes: usize,
}

/// Whether an encoded frame is one of those that are counted.
pub fn is_message(frame: &[u8]) -> bool {
    let cmd = frame.get(4..6).map(|mut cmd| cmd.get_u16_le());
    cmd.is_some_and(|cmd| !matches!(cmd, CMD_VERIFY | CMD_ACK | CMD_PING))
}

impl Sent {
    /// A message is to be sent, behind all others.
    pub fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.kept.push_back(frame);
    }

    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.before + self.kept.len() as u64
    }

    /// Messages and bytes that are kept.
    pub fn kept(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }

    /// The other end says how many have come.
    ///
    /// # Errors
    /// [`CountError`]: that cannot be, and nothing has changed.
    pub fn acknowledge(&mut self, count: u64) -> Result<(), CountError> {
        let sent = self.count();
        if count > sent {
            return Err(CountError::Future { count, sent });
        }
        if count < self.acked {
            let before = self.acked;
            return Err(CountError::Lower { count, before });
        }
        self.acked = count;
        while self.before < count {
            self.forget();
        }
        Ok(())
    }

    /// There is another connection, and the other end says how many have come: the rest
    /// goes out again.
    ///
    /// # Errors
    /// [`CountError`]: that cannot be, or cannot be done, and nothing has changed.
    pub fn resume(&mut self, count: u64) -> Result<(), CountError> {
        if count < self.before && count >= self.acked {
            let missing = self.before - count;
            return Err(CountError::Forgotten { missing });
        }
        self.acknowledge(count)?;
        self.gone = 0;
        Ok(())
    }

    /// The next that goes out on this connection.
    pub fn next_out(&mut self) -> Option<Bytes> {
        let frame = self.kept.get(self.gone)?.clone();
        self.gone += 1;
        Some(frame)
    }

    /// Whether there is one.
    pub fn has_next(&self) -> bool {
        self.gone < self.kept.len()
    }

    /// Keeps no more than this, and the newest. Who then lacks an older one cannot
    /// resume.
    pub fn keep_within(&mut self, messages: usize, bytes: usize) {
        // What is still to go out has to stay.
        while self.gone > 0 && (self.kept.len() > messages || self.bytes > bytes) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(frame) = self.kept.pop_front() {
            self.before += 1;
            self.bytes -= frame.len();
            self.gone = self.gone.saturating_sub(1);
        }
        // The room of a burst need not stay.
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }
}

impl Received {
    /// A message has come. Says what the other end is to be told, if it is time to.
    pub fn take(&mut self, body_bytes: usize) -> Option<u64> {
        self.count += 1;
        self.bytes += body_bytes;
        let is_due = self.count - self.told >= ACK_MESSAGES || self.bytes >= ACK_BYTES;
        is_due.then(|| self.tell())
    }

    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What the other end is told, now.
    pub fn tell(&mut self) -> u64 {
        self.told = self.count;
        self.bytes = 0;
        self.count
    }
}

/// The frame by which the other end is told how many messages have come.
pub fn encode_ack(count: u64) -> Bytes {
    encode_frame(CMD_ACK, 0, &count.to_le_bytes())
}

/// The count in the body of such a frame.
pub fn decode_count(body: &[u8]) -> Option<u64> {
    body.try_into().map(u64::from_le_bytes).ok()
}

/// The first frame of a client that goes on with a session.
pub fn encode_resume(token: ResumeToken, received: u64) -> Bytes {
    let mut body = [0; 24];
    body[..16].copy_from_slice(&token.0);
    body[16..].copy_from_slice(&received.to_le_bytes());
    encode_frame(CMD_ACK, FLAG_RESUME, &body)
}

/// The token and the count in the body of such a frame.
pub fn decode_resume(body: &[u8]) -> Option<(ResumeToken, u64)> {
    let (token, count) = body.split_first_chunk()?;
    Some((ResumeToken(*token), decode_count(count)?))
}

/// The gate's answer to it: how many messages have come.
pub fn encode_resumed(count: u64) -> Bytes {
    encode_frame(CMD_ACK, FLAG_RESUME, &count.to_le_bytes())
}

impl ResumeOffer {
    const HEAD: usize = 20;

    /// The body of the answer to a login.
    pub fn body(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(Self::HEAD + self.reply.len());
        body.put_slice(&self.token.0);
        body.put_u32_le(self.seconds);
        body.put_slice(&self.reply);
        body.freeze()
    }

    /// Takes its body apart.
    pub fn decode(mut body: Bytes) -> Option<ResumeOffer> {
        let mut head = (body.len() >= Self::HEAD).then(|| body.split_to(Self::HEAD))?;
        let mut token = [0; 16];
        head.copy_to_slice(&mut token);
        Some(ResumeOffer {
            token: ResumeToken(token),
            seconds: head.get_u32_le(),
            reply: body,
        })
    }
}

/// It opens a session: nothing of it is printed.
impl std::fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

const _: () = assert!(HEAD_BYTES == 8);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(number: u64) -> Bytes {
        encode_frame(7, 0, &number.to_le_bytes())
    }

    fn number(frame: &Bytes) -> u64 {
        decode_count(&frame[HEAD_BYTES..]).unwrap()
    }

    fn sent(count: u64) -> Sent {
        let mut sent = Sent::default();
        (1..=count).for_each(|number| sent.push(message(number)));
        assert_eq!(all_out(&mut sent).len() as u64, count);
        sent
    }

    fn all_out(sent: &mut Sent) -> Vec<u64> {
        std::iter::from_fn(|| sent.next_out())
            .map(|frame| number(&frame))
            .collect()
    }

    #[test]
    fn what_did_not_come_is_sent_again_and_in_order() {
        let mut sent = sent(5);
        sent.acknowledge(2).unwrap();
        assert_eq!(sent.kept().0, 3);
        sent.resume(3).unwrap();
        sent.push(message(6));
        assert!(sent.has_next());
        assert_eq!(all_out(&mut sent), [4, 5, 6]);
        sent.resume(4).unwrap();
        assert_eq!(all_out(&mut sent), [5, 6]);
    }

    #[test]
    fn counts_that_cannot_be_are_told_apart_and_change_nothing() {
        let mut sent = sent(5);
        sent.acknowledge(3).unwrap();
        let (count, sent_) = (6, 5);
        let future = CountError::Future { count, sent: sent_ };
        assert_eq!(sent.acknowledge(6), Err(future));
        assert_eq!(sent.resume(6), Err(future));
        let lower = CountError::Lower {
            count: 2,
            before: 3,
        };
        assert_eq!(sent.acknowledge(2), Err(lower));
        assert_eq!(sent.resume(2), Err(lower));
        assert!(!sent.has_next());
        sent.keep_within(1, usize::MAX);
        let forgotten = CountError::Forgotten { missing: 1 };
        assert_eq!(sent.resume(3), Err(forgotten));
        assert_eq!(sent.resume(4), Ok(()));
        assert_eq!(all_out(&mut sent), [5]);
    }

    #[test]
    fn what_is_still_to_go_out_is_not_forgotten_for_want_of_room() {
        let mut sent = sent(5);
        sent.resume(1).unwrap();
        sent.keep_within(1, 0);
        assert_eq!(all_out(&mut sent), [2, 3, 4, 5]);
        sent.keep_within(1, usize::MAX);
        assert_eq!(sent.kept().0, 1);
    }

    #[test]
    fn the_other_end_is_told_after_so_many_messages_or_bytes() {
        let mut received = Received::default();
        let told: Vec<u64> = (0..40).filter_map(|_| received.take(1)).collect();
        assert_eq!(told, [16, 32]);
        assert_eq!(received.take(ACK_BYTES), Some(41));
        assert_eq!(received.take(ACK_BYTES - 1), None);
        assert_eq!(received.tell(), 42);
        assert_eq!(received.take(1), None);
    }

    #[test]
    fn frames_are_what_the_page_says() {
        let token = ResumeToken(*b"0123456789abcdef");
        let offer = ResumeOffer {
            token,
            seconds: 30,
            reply: "hello".into(),
        };
        let body = offer.body();
        assert_eq!(body.len(), 25);
        assert_eq!(ResumeOffer::decode(body.clone()), Some(offer));
        assert_eq!(ResumeOffer::decode(body.slice(1..19)), None);
        let resume = encode_resume(token, 7);
        assert_eq!(&resume[..8], b"\x18\0\0\0\xfe\xff\x02\0");
        assert_eq!(decode_resume(&resume[8..]), Some((token, 7)));
        assert_eq!(decode_resume(&resume[9..]), None);
        assert!(!is_message(&resume) && !is_message(&encode_ack(1)) && is_message(&message(1)));
        assert!(!is_message(b"") && !format!("{token:?}").contains("48"));
    }

    /// One end of a connection, as the other sees it.
    #[derive(Default)]
    struct End {
        sent: Sent,
        received: Received,
        seen: Vec<u64>,
    }

    impl End {
        fn hear(&mut self, frame: &Bytes) -> Option<u64> {
            self.seen.push(number(frame));
            self.received.take(frame.len() - HEAD_BYTES)
        }
    }

    proptest! {
        /// Wherever connections are cut, and whatever acknowledgements are lost with
        /// them: every message arrives once, and in order.
        #[test]
        fn nothing_is_lost_or_repeated_over_connections_that_break(
            connections in prop::collection::vec((0u64..60, 0u64..60, any::<bool>()), 1..30)
        ) {
            let (mut here, mut there) = (End::default(), End::default());
            let mut next = 1;
            for (messages, arrive, acks_arrive) in connections {
                here.sent.resume(there.received.tell()).unwrap();
                for _ in 0..messages {
                    here.sent.push(message(next));
                    next += 1;
                }
                // All of them are written, and so many arrive.
                let written: Vec<Bytes> =
                    std::iter::from_fn(|| here.sent.next_out()).collect();
                for frame in written.iter().take(arrive as usize) {
                    if let Some(count) = there.hear(frame) && acks_arrive {
                        here.sent.acknowledge(count).unwrap();
                    }
                }
            }
            here.sent.resume(there.received.tell()).unwrap();
            while let Some(frame) = here.sent.next_out() {
                there.hear(&frame);
            }
            prop_assert_eq!(there.seen, (1..next).collect::<Vec<_>>());
            here.sent.acknowledge(there.received.tell()).unwrap();
            prop_assert_eq!(here.sent.kept(), (0, 0));
        }

        /// Whatever the other end says, the counts hold.
        #[test]
        fn no_count_of_the_other_end_breaks_ours(
            steps in prop::collection::vec((0u8..5, 0u64..40), 0..200)
        ) {
            let mut sent = Sent::default();
            let mut total = 0;
            for (step, count) in steps {
                match step {
                    0 => { total += 1; sent.push(message(total)) }
                    1 => _ = sent.acknowledge(count),
                    2 => _ = sent.resume(count),
                    3 => _ = sent.next_out(),
                    _ => sent.keep_within(count as usize, 400),
                }
                prop_assert_eq!(sent.count(), total);
                let (messages, bytes) = sent.kept();
                prop_assert_eq!(bytes, messages * (HEAD_BYTES + 8));
            }
        }
    }
}
