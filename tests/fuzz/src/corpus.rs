//! What the fuzzer starts from: small examples of everything that is sent, and
//! of what a hostile peer would think of first.

mod door;
mod websocket;

use bytes::Bytes;
use prost::Message;
use protocol::{
    CallError, Envelope, ErrorKind, NodeId, Secret,
    client::{CMD_PING, encode_frame},
    envelope::EnvelopeKind,
    token,
    v1::{Crossing, Refusal, RefusalReason},
};

use super::{ALICE, BOB, CAROL, DAVE, batch_of, generated};

/// A target, the name of an example, and the example.
pub type Seed = (&'static str, &'static str, Vec<u8>);

/// All of them.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, envelope) in samples() {
        seeds.push(("envelope", name, generated(&envelope).encode_to_vec()));
    }
    let across = generated(&across("GroupB", "", 0)).encode_to_vec();
    seeds.push(("envelope", "across", across));
    for (name, bytes) in odd_envelopes() {
        seeds.push(("batch", name, element(&bytes)));
        seeds.push(("broker", name, element(&bytes)));
        seeds.push(("envelope", name, bytes));
    }
    for target in ["batch", "broker", "node"] {
        for (name, batch) in batches() {
            seeds.push((target, name, batch));
        }
    }
    seeds.extend(words().map(|(name, bytes)| ("words", name, bytes)));
    seeds.extend(frames().map(|(name, bytes)| ("client_frames", name, bytes)));
    seeds.extend(door::bodies().map(|(name, bytes)| ("bodies", name, bytes)));
    seeds.extend(door::headers().map(|(name, bytes)| ("proxy", name, bytes)));
    seeds.extend(websocket::messages().map(|(name, bytes)| ("websocket", name, bytes)));
    seeds
}

/// One of each kind.
fn samples() -> [(&'static str, Envelope); 9] {
    let error = CallError::new(ErrorKind::Overloaded, "no room");
    let refusal = Refusal {
        destination: BOB.as_u64(),
        sequence: 1,
        reason: RefusalReason::NoRoom.into(),
    };
    [
        (
            "notify",
            from_alice(CAROL, EnvelopeKind::Notify, 1, "tell", b"hello"),
        ),
        (
            "request",
            from_alice(CAROL, EnvelopeKind::Request, 1, "echo", b"hello"),
        ),
        (
            "response",
            from_alice(CAROL, EnvelopeKind::Response, 1, "", b"hello"),
        ),
        (
            "error",
            from_alice(CAROL, EnvelopeKind::Error, 1, "", &error.encode()),
        ),
        ("ack", from_alice(CAROL, EnvelopeKind::Ack, 0, "", b"")),
        (
            "control",
            from_alice(CAROL, EnvelopeKind::Control, 1, "tell", b"hello"),
        ),
        (
            "ping",
            Envelope::new(NodeId::BROKER, ALICE, EnvelopeKind::Ping),
        ),
        (
            "pong",
            Envelope::new(CAROL, NodeId::BROKER, EnvelopeKind::Pong),
        ),
        (
            "refused",
            Envelope {
                body: refusal.encode_to_vec().into(),
                ..Envelope::new(CAROL, NodeId::BROKER, EnvelopeKind::Refused)
            },
        ),
    ]
}

fn from_alice(
    destination: NodeId,
    kind: EnvelopeKind,
    sequence: u64,
    method: &'static str,
    body: &[u8],
) -> Envelope {
    Envelope {
        sequence,
        acknowledged: 1,
        call_id: 1,
        method: method.into(),
        deadline_ms: 5000,
        body: Bytes::copy_from_slice(body),
        ..Envelope::new(destination, ALICE, kind)
    }
}

/// A request to another group, or from one.
fn across(group: &str, from_group: &str, hops: u32) -> Envelope {
    let crossing = Crossing {
        group: group.into(),
        from_group: from_group.into(),
        hops,
        ..Crossing::default()
    };
    Envelope {
        crossing: crossing.encode_to_vec().into(),
        ..from_alice(CAROL, EnvelopeKind::Request, 0, "echo", b"hello")
    }
}

/// Envelopes that no writer of ours makes.
fn odd_envelopes() -> Vec<(&'static str, Vec<u8>)> {
    let request = from_alice(BOB, EnvelopeKind::Request, 1, "echo", b"hello");
    let plain = generated(&request).encode_to_vec();
    let with = |more: &[u8]| [&plain[..], more].concat();
    let mut second_source = vec![0x11];
    second_source.extend_from_slice(&BOB.as_u64().to_le_bytes());
    // Kind, source, destination.
    let backwards = [&plain[18..20], &plain[9..18], &plain[..9], &plain[20..]].concat();
    vec![
        ("second_source", with(&second_source)),
        ("backwards", backwards),
        ("unknown_field", with(&[0xa2, 0x01, 2, 9, 9])),
        ("unknown_kind", [&plain[..19], &[99], &plain[20..]].concat()),
        ("method_is_no_text", with(&[0x3a, 2, 0xff, 0xfe])),
        (
            "long_varint",
            with(&[
                0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ]),
        ),
        ("cut", plain[..plain.len() - 3].to_vec()),
        ("crossing_is_empty", with(&[0x42, 0])),
        ("crossing_is_none", with(&[0x42, 2, 0xff, 0xff])),
        (
            "second_crossing",
            with(&[0x42, 2, 0x28, 1, 0x42, 2, 0x28, 2]),
        ),
    ]
}

fn batches() -> Vec<(&'static str, Vec<u8>)> {
    let to = |node, kind, sequence| from_alice(node, kind, sequence, "echo", b"hello");
    let request = EnvelopeKind::Request;
    let run = |node, count: u64, kind| (1..=count).map(move |n| to(node, kind, n));
    let second = |envelope: Envelope| Envelope {
        call_id: 2,
        ..envelope
    };
    let mixed = [
        to(BOB, request, 1),
        to(CAROL, EnvelopeKind::Notify, 1),
        Envelope::new(NodeId::BROKER, ALICE, EnvelopeKind::Ping),
        second(to(BOB, request, 2)),
        to(DAVE, request, 0),
        to(DAVE, request, 1),
        to(NodeId::new(9, 9), EnvelopeKind::Notify, 0),
    ];
    let out_of_turn = [3, 1, 1, 2, 5].map(|sequence| to(CAROL, request, sequence));
    let forged = [
        to(BOB, request, 1),
        Envelope::new(CAROL, BOB, EnvelopeKind::Notify),
    ];
    let many_methods = ["echo", "fail", "wait", "nobody's"].map(|method| {
        let sequence = 0;
        from_alice(CAROL, request, sequence, method, b"hello")
    });
    let ways = [
        across("GroupB", "", 0),
        across("GroupB", "GroupC", u32::MAX),
        across("", "GroupC", 1),
        across("", "no group", 1),
        Envelope {
            crossing: Bytes::from_static(&[0xff, 0xff]),
            ..across("", "", 0)
        },
    ];
    let says = samples().map(|(_, envelope)| envelope);
    let far = Envelope {
        acknowledged: u64::MAX,
        sequence: u64::MAX,
        call_id: u64::MAX,
        deadline_ms: u32::MAX,
        ..to(CAROL, EnvelopeKind::Response, 0)
    };
    vec![
        ("empty", Vec::new()),
        ("one_of_each", batch_of(&says).into()),
        ("mixed", batch_of(&mixed).into()),
        ("out_of_turn", batch_of(&out_of_turn).into()),
        ("forged", batch_of(&forged).into()),
        ("methods", batch_of(&many_methods).into()),
        ("across", batch_of(&ways).into()),
        ("highest_numbers", batch_of([&far]).into()),
        (
            "many_to_bob",
            batch_of(&run(BOB, 12, request).collect::<Vec<_>>()).into(),
        ),
        (
            "many_to_carol",
            batch_of(&run(CAROL, 12, EnvelopeKind::Control).collect::<Vec<_>>()).into(),
        ),
        ("claims_2_mib", vec![0x0a, 0x80, 0x80, 0x80, 0x01]),
        ("no_element", vec![0x12, 1, 0]),
    ]
}

/// An envelope as the element of a batch. For small ones only.
fn element(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(0x7f).min(0x7f);
    [&[0x0a, length], content].concat()
}

fn words() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let error = CallError::new(
        ErrorKind::DeadlineExceeded,
        "the handler did not end in time",
    );
    let refusal = Refusal {
        destination: BOB.as_u64(),
        sequence: 7,
        reason: RefusalReason::NoRoute.into(),
    };
    let secret = Secret::new("open sesame");
    let token = "GroupA"
        .parse()
        .map(|group| token::sign(&secret, &group, ALICE));
    [
        ("call_error", error.encode()),
        ("refusal", refusal.encode_to_vec()),
        ("token", token.expect("the literal is a name")),
        ("node", b"scene@0".to_vec()),
        ("node_too_high", b"scene@4294967296".to_vec()),
        ("node_two_ats", b"scene@0@1".to_vec()),
        ("group", b"GroupA".to_vec()),
    ]
    .into_iter()
}

fn frames() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let login = encode_frame(0, 0, b"alice");
    let three = [
        &login[..],
        &encode_frame(CMD_PING, 0, b""),
        &encode_frame(7, 0, b"[1]"),
    ];
    [
        ("login", login.to_vec()),
        ("three", three.concat()),
        ("cut", login[..6].to_vec()),
        ("longest", encode_frame(1, 0, &[7; 64]).to_vec()),
        ("too_long", encode_frame(1, 0, &[7; 65]).to_vec()),
        ("claims_4_gib", vec![0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]),
    ]
    .into_iter()
}
