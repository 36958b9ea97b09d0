//! How much fits in one message to a gate.

use prost::encoding::encoded_len_varint;
use protocol::envelope::MAX_BODY_BYTES;
#[cfg(doc)]
use protocol::v1::Deliver;

/// The longest message for clients, in bytes. Beside it, a [`Deliver`] has room
/// for [`LOGINS`] logins.
pub(crate) const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES - HEADS - LOGINS * LOGIN_BYTES;

/// So many logins fit beside any message: the more there are, the fewer copies
/// of a long message cross to a gate where many are to have it.
const LOGINS: usize = 4_096;

/// Logins are numbers of a fixed length.
pub(crate) const LOGIN_BYTES: usize = 8;

/// What the three fields of a [`Deliver`] have beside logins and message: a byte
/// that says which it is, and a length, or the cmd, which is no longer than a
/// length.
const HEADS: usize = 3 * (1 + encoded_len_varint(MAX_BODY_BYTES as u64));

/// How many logins one [`Deliver`] takes beside a message of this length.
pub(crate) fn logins_beside(message: usize) -> usize {
    let room = MAX_BODY_BYTES.saturating_sub(HEADS + message);
    (room / LOGIN_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use prost::Message;
    use protocol::v1::Deliver;

    use super::*;

    fn deliver(logins: usize, cmd: u16, message: usize) -> Deliver {
        Deliver {
            logins: vec![u64::MAX; logins],
            cmd: cmd.into(),
            body: Bytes::from(vec![0; message]),
        }
    }

    proptest! {
        #[test]
        fn what_is_said_to_fit_fits(message in 0..=MAX_MESSAGE_BYTES, cmd: u16) {
            let logins = logins_beside(message);
            prop_assert!(logins >= LOGINS);
            let bytes = deliver(logins, cmd, message).encoded_len();
            prop_assert!(bytes <= MAX_BODY_BYTES, "{} bytes", bytes);
        }
    }

    #[test]
    fn little_of_the_room_is_given_away() {
        let longest = deliver(LOGINS, u16::MAX, MAX_MESSAGE_BYTES).encoded_len();
        assert!(longest + HEADS > MAX_BODY_BYTES, "{longest} bytes");
    }
}
