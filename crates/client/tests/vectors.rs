//! The vectors that all SDKs agree on: `proto/vectors`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::{Bytes, BytesMut};
use protocol::client::{
    CMD_ACK, CMD_VERIFY, FLAG_CLOSED, FLAG_RESUME, FLAG_TICKET, Frame, FrameDecoder,
    compression::inflate,
    encode_frame,
    redirect::{Redirect, Ticket},
    resume::{Received, ResumeOffer, ResumeToken, Sent, encode_ack, encode_resume, encode_resumed},
};
use serde_json::Value;

const FRAMES: &str = include_str!("../../../proto/vectors/frames.json");
const COMPRESSION: &str = include_str!("../../../proto/vectors/compression.json");
const REDIRECT: &str = include_str!("../../../proto/vectors/redirect.json");
const RESUME: &str = include_str!("../../../proto/vectors/resume.json");

fn cases(text: &str, list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(text).unwrap();
    all[list].as_array().unwrap().clone()
}

fn hex(value: &Value) -> Bytes {
    let text = value.as_str().unwrap();
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn bytes_are_cut_into_the_same_frames_however_they_are_split() {
    for case in cases(FRAMES, "good") {
        let bytes = hex(&case["bytes"]);
        let expected: Vec<Frame> = case["frames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| Frame {
                cmd: number(&frame["cmd"]) as u16,
                flags: number(&frame["flags"]) as u16,
                body: hex(&frame["body"]),
            })
            .collect();
        for split in 0..=bytes.len() {
            let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
            for part in [&bytes[..split], &bytes[split..]] {
                buffer.extend_from_slice(part);
                while let Some(frame) = FrameDecoder::new(1 << 20).decode(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(
                (&frames, &buffer[..]),
                (&expected, &hex(&case["rest"])[..]),
                "{case}"
            );
        }
        let again: Vec<u8> = expected
            .iter()
            .flat_map(|frame| encode_frame(frame.cmd, frame.flags, &frame.body))
            .chain(hex(&case["rest"]))
            .collect();
        assert_eq!(again, bytes, "{case}");
    }
    for case in cases(FRAMES, "bad") {
        let mut buffer = BytesMut::from(&hex(&case["bytes"])[..]);
        assert!(
            FrameDecoder::new(1 << 20).decode(&mut buffer).is_err(),
            "{case}"
        );
    }
}

#[test]
fn a_way_to_another_gate_is_written_and_read_so() {
    for case in cases(REDIRECT, "good") {
        let redirect = Redirect {
            ticket: Ticket(hex(&case["ticket"])[..].try_into().unwrap()),
            address: case["address"].as_str().unwrap().to_owned(),
            reply: hex(&case["reply"]),
        };
        let bytes = hex(&case["bytes"]);
        assert_eq!(redirect.encode(), bytes, "{case}");
        let frame = FrameDecoder::new(1 << 20).decode_message(bytes).unwrap();
        let ticket = redirect.ticket.0;
        assert_eq!(Redirect::decode(frame.body), Some(redirect), "{case}");
        for (flags, first) in [
            (FLAG_TICKET, "first"),
            (FLAG_TICKET | FLAG_RESUME, "first_resumable"),
        ] {
            let encoded = encode_frame(CMD_VERIFY, flags, &ticket);
            assert_eq!(encoded, hex(&case[first]), "{case}");
        }
    }
    for case in cases(REDIRECT, "bad") {
        assert_eq!(Redirect::decode(hex(&case["body"])), None, "{case}");
    }
}

#[test]
fn compressed_bodies_are_what_they_were_and_others_are_refused() {
    for case in cases(COMPRESSION, "good") {
        let plain = hex(&case["plain"]).repeat(number(&case["repeat"]) as usize);
        let inflated = inflate(&hex(&case["body"]), 1 << 20).unwrap();
        assert_eq!(inflated, plain, "{}", case["name"]);
    }
    for case in cases(COMPRESSION, "bad") {
        assert!(
            inflate(&hex(&case["body"]), 1 << 20).is_err(),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn each_frame_of_coming_back_is_encoded_so() {
    for case in cases(RESUME, "encodings") {
        let token = || ResumeToken(hex(&case["token"])[..].try_into().unwrap());
        let count = || number(&case["count"]);
        let encoded = match case["name"].as_str().unwrap() {
            "login that would like to come back" => {
                encode_frame(0, FLAG_RESUME, case["key"].as_str().unwrap().as_bytes())
            }
            "offer" => {
                let offer = ResumeOffer {
                    token: token(),
                    seconds: number(&case["seconds"]) as u32,
                    reply: hex(&case["reply"]),
                };
                assert_eq!(ResumeOffer::decode(offer.body()), Some(offer.clone()));
                encode_frame(CMD_VERIFY, FLAG_RESUME, &offer.body())
            }
            "ack" => encode_ack(count()),
            "resume" => encode_resume(token(), count()),
            "resumed" => encode_resumed(count()),
            "goodbye" => encode_frame(CMD_ACK, FLAG_CLOSED, b""),
            other => panic!("{other}"),
        };
        assert_eq!(encoded, hex(&case["bytes"]), "{case}");
    }
}

#[test]
fn the_other_side_is_told_at_the_same_times() {
    for case in cases(RESUME, "received") {
        let mut received = Received::default();
        let bodies = case["bodies"].as_array().unwrap();
        let told: Vec<Value> = bodies
            .iter()
            .map(|bytes| received.take(number(bytes) as usize).into())
            .collect();
        assert_eq!(Value::from(told), case["told"], "{case}");
    }
}

#[test]
fn the_same_messages_go_out_again() {
    for case in cases(RESUME, "sent") {
        let (mut sent, mut numbers) = (Sent::default(), 0u64);
        for step in case["steps"].as_array().unwrap() {
            let done = if let Some(messages) = step["send"].as_u64() {
                for _ in 0..messages {
                    numbers += 1;
                    sent.push(encode_frame(1, 0, &numbers.to_le_bytes()));
                }
                Ok(())
            } else if let Some(count) = step["acknowledged"].as_u64() {
                sent.acknowledge(count)
            } else {
                sent.resume(number(&step["resumed"]))
            };
            assert_eq!(done.is_err(), step["error"] == true, "{step} of {case}");
            let out: Vec<u64> = std::iter::from_fn(|| sent.next_out())
                .map(|frame| u64::from_le_bytes(frame[8..].try_into().unwrap()))
                .collect();
            assert_eq!(Value::from(out), step["out"], "{step} of {case}");
            assert_eq!(
                sent.kept().0 as u64,
                number(&step["kept"]),
                "{step} of {case}"
            );
        }
    }
}
