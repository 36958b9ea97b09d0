//! Small examples of what comes over WebSocket, behind a handshake.

use protocol::client::encode_frame;

/// What WebSocket clients send: each begins with the two bytes that say what
/// follows and how long it is.
pub(super) fn messages() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let login = encode_frame(0, 0, b"alice");
    let (part, rest) = login.split_at(5);
    let binary = message(0x82, &login);
    let fragments = [
        message(0x02, part),
        message(0x89, b"?"),
        message(0x80, rest),
    ];
    let long = message(0x82, &encode_frame(1, 0, &[7; 64]));
    let longer = message(0x82, &encode_frame(1, 0, &[7; 65]));
    let mut too_long_in_parts = message(0x02, &encode_frame(1, 0, &[7; 50]));
    too_long_in_parts.extend(message(0x80, &[7; 50]));
    let mut wrong_mask = binary.clone();
    wrong_mask[2..6].copy_from_slice(&[1, 2, 3, 4]);
    let minus_one = [&[0x82, 0xff][..], &[0xff; 8], &[0; 4]].concat();
    let unmasked = [&[0x82, login.len() as u8], &login[..]].concat();
    [
        ("login", binary.clone()),
        ("two_messages", [&binary[..], &long].concat()),
        ("fragments", fragments.concat()),
        ("too_long", longer),
        ("too_long_in_parts", too_long_in_parts),
        ("wrong_mask", wrong_mask),
        ("no_mask", unmasked),
        ("length_of_minus_one", minus_one),
        ("reserved_bits", [&[0xf2], &binary[1..]].concat()),
        ("unknown_kind", message(0x83, b"")),
        ("text", message(0x81, b"alice")),
        (
            "ping_pong",
            [message(0x89, b"?"), message(0x8a, b"!")].concat(),
        ),
        ("long_ping", message(0x89, &[7; 126])),
        ("continues_nothing", message(0x80, b"")),
        (
            "empty_parts",
            [message(0x02, b""), message(0x00, b"")].concat(),
        ),
        ("good_bye", message(0x88, &[0x03, 0xe8])),
        ("no_good_bye", message(0x88, &[0x03])),
        (
            "handshake",
            b"GET / HTTP/1.1\r\nHost: game\r\n\r\n".to_vec(),
        ),
    ]
    .into_iter()
}

/// A message, or a part of one, behind a mask that changes nothing.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    match payload.len() {
        short @ 0..126 => message.push(0x80 | short as u8),
        long => {
            message.push(0x80 | 126);
            message.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(payload);
    message
}
