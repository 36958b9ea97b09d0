//! Small examples of what stands between clients and a group: ways back and to other gates,
//! compressed bodies, the headers of load balancers.

use bytes::Bytes;
use protocol::client::{
    HEAD_BYTES,
    compression::encode_compressed,
    redirect::{Redirect, TICKET_BYTES, Ticket},
    resume::{ResumeOffer, ResumeToken, encode_ack, encode_resume},
};

pub(super) fn bodies() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let redirect = Redirect {
        ticket: Ticket([7; TICKET_BYTES]),
        address: "tls://gate.example:443".to_owned(),
        reply: Bytes::from_static(b"welcome"),
    };
    let offer = ResumeOffer {
        token: ResumeToken([7; 16]),
        seconds: 30,
        reply: Bytes::from_static(b"welcome"),
    };
    let compressed = |bytes: usize| {
        let frame = encode_compressed(1, &vec![b'a'; bytes]).unwrap_or_default();
        body(&frame)
    };
    let mut lies = compressed(5000);
    lies[..4].copy_from_slice(&100u32.to_le_bytes());
    let mut cut = compressed(1000);
    cut.pop();
    let no_text = [&[7; 16][..], &[2, 0, 0xff, 0xfe]].concat();
    [
        ("redirect", body(&redirect.encode())),
        ("redirect_to_no_text", no_text),
        ("offer", offer.body().to_vec()),
        ("resume", body(&encode_resume(ResumeToken([7; 16]), 9))),
        ("count", body(&encode_ack(u64::MAX))),
        ("compressed", compressed(1000)),
        ("compressed_and_cut", cut),
        ("bomb", compressed(5000)),
        ("bomb_that_lies", lies),
        ("claims_4_gib", vec![0xff, 0xff, 0xff, 0xff, 3, 0]),
    ]
    .into_iter()
}

fn body(frame: &[u8]) -> Vec<u8> {
    frame.get(HEAD_BYTES..).unwrap_or_default().to_vec()
}

pub(super) fn headers() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 4, 5, 6, 7];
    let mut v6 = [0; 36];
    v6[15] = 1;
    let with_notes = [&v4[..], &[3, 0, 4, 0, 0, 0, 0]].concat();
    let with_frame = [&header(0x21, 0x11, &v4)[..], b"\x05\0\0\0\0\0\0\0alice"].concat();
    [
        ("v4", with_frame),
        ("v6", header(0x21, 0x21, &v6)),
        ("with_notes", header(0x21, 0x11, &with_notes)),
        ("local", header(0x20, 0, &[])),
        ("of_no_address", header(0x21, 0, &[])),
        ("of_one_machine", header(0x21, 0x31, &[0; 216])),
        ("too_short", header(0x21, 0x11, &v4[..11])),
        ("unknown_command", header(0x22, 0x11, &v4)),
        (
            "version_1",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4 5\r\n".to_vec(),
        ),
        (
            "claims_64_kib",
            [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat(),
        ),
    ]
    .into_iter()
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// For small ones only.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u8::try_from(rest.len()).unwrap_or(u8::MAX);
    [&SIGNATURE[..], &[command, family, 0, length], rest].concat()
}
