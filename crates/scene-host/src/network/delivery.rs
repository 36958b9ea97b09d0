//! Messages for clients on their way to a gate: how much fits in one, and how it
//! is written, without a [`Deliver`] in between.

use bytes::{BufMut, Bytes};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
#[cfg(doc)]
use protocol::v1::Deliver;
use protocol::{Login, envelope::MAX_BODY_BYTES};

use crate::Parcel;

/// The longest message for clients, in bytes. Beside it, a [`Deliver`] has room
/// for [`LOGINS`] logins.
pub(crate) const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES - HEADS - LOGINS * LOGIN_BYTES;

/// So many logins fit beside any message: the more there are, the fewer copies
/// of a long message cross to a gate where many are to have it.
const LOGINS: usize = 4_096;

/// Logins are numbers of a fixed length.
pub(crate) const LOGIN_BYTES: usize = 8;

/// The longest name of a channel, in bytes.
pub(crate) const MAX_CHANNEL_BYTES: usize = 128;

/// What the five fields of a [`Deliver`] have beside logins and message: a byte
/// that says which it is, and a length, or something that is no longer than one;
/// and the channel, though a message for one has no logins.
const HEADS: usize = 5 * (1 + encoded_len_varint(MAX_BODY_BYTES as u64)) + MAX_CHANNEL_BYTES;

/// The longest extra data of a session that changes scene, in bytes: beside it, an
/// `Enter` and a `ChangeScene` have room for all that they say.
pub(crate) const MAX_EXTRA_BYTES: usize = MAX_MESSAGE_BYTES;

/// How many logins one [`Deliver`] takes beside a message of this length.
pub(crate) fn logins_beside(message: usize) -> usize {
    let room = MAX_BODY_BYTES.saturating_sub(HEADS + message);
    (room / LOGIN_BYTES).max(1)
}

/// A [`Deliver`] for these clients; for all of the gate if there are none.
pub(crate) fn encode(logins: &[Login], parcel: &Parcel) -> Bytes {
    let mut out = Vec::with_capacity(room_beside(parcel) + logins.len() * LOGIN_BYTES);
    if !logins.is_empty() {
        put_length(&mut out, 1, logins.len() * LOGIN_BYTES);
        for login in logins {
            out.put_u64_le(login.0);
        }
    }
    put_parcel(&mut out, parcel, "");
    out.into()
}

/// A [`Deliver`] for whoever has joined a channel.
pub(crate) fn encode_for_channel(channel: &str, parcel: &Parcel) -> Bytes {
    let mut out = Vec::with_capacity(room_beside(parcel) + channel.len());
    put_parcel(&mut out, parcel, channel);
    out.into()
}

/// What a message takes with the heads of all fields, at most.
fn room_beside(parcel: &Parcel) -> usize {
    5 * (1 + encoded_len_varint(MAX_BODY_BYTES as u64)) + parcel.body.len()
}

fn put_parcel(out: &mut Vec<u8>, parcel: &Parcel, channel: &str) {
    if parcel.cmd != 0 {
        encode_key(2, WireType::Varint, out);
        encode_varint(parcel.cmd.into(), out);
    }
    for (field, bytes) in [(3, parcel.body.as_ref()), (4, channel.as_bytes())] {
        if !bytes.is_empty() {
            put_length(out, field, bytes.len());
            out.put_slice(bytes);
        }
    }
    if parcel.latest {
        encode_key(5, WireType::Varint, out);
        encode_varint(1, out);
    }
}

fn put_length(out: &mut Vec<u8>, field: u32, length: usize) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
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
            ..Default::default()
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

    proptest! {
        #[test]
        fn what_is_written_is_what_a_gate_reads(
            logins in prop::collection::vec(any::<u64>(), 0..4),
            cmd: u16, body: Vec<u8>, latest: bool, channel in "[a-z]{0,8}",
        ) {
            let parcel = Parcel { cmd, body: body.into(), latest };
            let mut expected = Deliver {
                logins: logins.clone(),
                cmd: cmd.into(),
                body: parcel.body.clone(),
                channel: String::new(),
                latest,
            };
            let logins: Vec<Login> = logins.into_iter().map(Login).collect();
            prop_assert_eq!(encode(&logins, &parcel), expected.encode_to_vec());
            expected.logins.clear();
            expected.channel.clone_from(&channel);
            prop_assert_eq!(encode_for_channel(&channel, &parcel), expected.encode_to_vec());
        }
    }

    #[test]
    fn little_of_the_room_is_given_away() {
        let longest = deliver(LOGINS, u16::MAX, MAX_MESSAGE_BYTES).encoded_len();
        assert!(longest + HEADS > MAX_BODY_BYTES, "{longest} bytes");
        const { assert!(MAX_EXTRA_BYTES + 1_024 < MAX_BODY_BYTES) };
    }
}
