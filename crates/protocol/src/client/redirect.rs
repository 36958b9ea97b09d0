//! A client that is sent to another gate, and the ticket that lets it in there.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{CMD_VERIFY, FLAG_TICKET, encode_frame};

/// The bytes of a ticket.
pub const TICKET_BYTES: usize = 16;

/// What lets a client in at the gate that has made it: a random number, good once and for a
/// few seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub [u8; TICKET_BYTES]);

/// Where a client goes on. Its bytes are the ticket, the length of the address as a `u16`
/// (little-endian), the address, and what the game says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// What it shows there.
    pub ticket: Ticket,
    /// Where that is: a URL.
    pub address: String,
    /// What the game says to it. The other gate does not say it again.
    pub reply: Bytes,
}

impl Redirect {
    /// The last frame of a gate that sends a client away. An address is at most 65,535 bytes
    /// long: more is cut off.
    pub fn encode(&self) -> Bytes {
        let length = u16::try_from(self.address.len()).unwrap_or(u16::MAX);
        let address = &self.address.as_bytes()[..usize::from(length)];
        let bytes = TICKET_BYTES + size_of::<u16>() + address.len() + self.reply.len();
        let mut body = BytesMut::with_capacity(bytes);
        body.put_slice(&self.ticket.0);
        body.put_u16_le(length);
        body.put_slice(address);
        body.put_slice(&self.reply);
        encode_frame(CMD_VERIFY, FLAG_TICKET, &body)
    }

    /// The body of that frame; nothing where it is none.
    pub fn decode(mut body: Bytes) -> Option<Redirect> {
        let ticket = Ticket(body.get(..TICKET_BYTES)?.try_into().ok()?);
        body.advance(TICKET_BYTES);
        let length = usize::from(body.try_get_u16_le().ok()?);
        if body.len() < length {
            return None;
        }
        let address = String::from_utf8(body.split_to(length).into()).ok()?;
        Some(Redirect {
            ticket,
            address,
            reply: body,
        })
    }
}

/// It opens a session: nobody reads it in a log.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::FrameDecoder;

    proptest! {
        #[test]
        fn redirect_comes_as_it_was_sent(
            ticket in any::<[u8; TICKET_BYTES]>(),
            address in "[ -~]{0,80}",
            reply in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let redirect = Redirect { ticket: Ticket(ticket), address, reply: reply.into() };
            let frame = FrameDecoder::new(1 << 20).decode_message(redirect.encode()).unwrap();
            prop_assert_eq!((frame.cmd, frame.flags), (CMD_VERIFY, FLAG_TICKET));
            prop_assert_eq!(Redirect::decode(frame.body), Some(redirect));
        }

        #[test]
        fn no_bytes_are_too_strange(body in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Redirect::decode(body.into());
        }
    }
}
