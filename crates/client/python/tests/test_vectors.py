"""The vectors that all SDKs agree on: proto/vectors."""

import json
from pathlib import Path
from typing import Any

import pytest

from redrabbit_client.errors import ProtocolBroken
from redrabbit_client.frames import (
    FLAG_COMPRESSED,
    FLAG_RESUME,
    FLAG_TICKET,
    FrameDecoder,
    decode_offer,
    decode_redirect,
    encode_ack,
    encode_frame,
    encode_goodbye,
    encode_message,
    encode_resume,
    inflate,
)
from redrabbit_client.resumption import Received, Sent

VECTORS = Path(__file__).parents[4] / "proto" / "vectors"


def cases(file: str, kind: str) -> Any:
    found = json.loads((VECTORS / file).read_text())[kind]
    return pytest.mark.parametrize("case", found, ids=lambda case: case["name"])


@cases("frames.json", "good")
def test_bytes_are_cut_into_the_same_frames_however_they_are_split(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bytes"])
    for split in range(len(data) + 1):
        decoder = FrameDecoder()
        frames = decoder.push(data[:split]) + decoder.push(data[split:])
        found = [{"cmd": cmd, "flags": flags, "body": body.hex()} for cmd, flags, body in frames]
        assert found == case["frames"]
        assert decoder.is_empty == (case["rest"] == "")
    again = b"".join(encode_frame(cmd, flags, body) for cmd, flags, body in frames)
    assert again.hex() + case["rest"] == case["bytes"]


@cases("frames.json", "bad")
def test_what_is_too_large_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolBroken):
        FrameDecoder().push(bytes.fromhex(case["bytes"]))


@cases("redirect.json", "good")
def test_a_way_to_another_gate_is_read_so(case: dict[str, Any]) -> None:
    (frame,) = FrameDecoder().push(bytes.fromhex(case["bytes"]))
    assert (frame.cmd, frame.flags) == (0, FLAG_TICKET)
    ticket, address, reply = decode_redirect(frame.body)
    assert (ticket.hex(), address, reply.hex()) == (case["ticket"], case["address"], case["reply"])
    assert encode_frame(0, FLAG_TICKET, ticket).hex() == case["first"]
    assert encode_frame(0, FLAG_TICKET | FLAG_RESUME, ticket).hex() == case["first_resumable"]


@cases("redirect.json", "bad")
def test_what_is_no_way_to_another_gate_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolBroken):
        decode_redirect(bytes.fromhex(case["body"]))


@cases("compression.json", "good")
def test_a_compressed_body_is_what_it_was(case: dict[str, Any]) -> None:
    plain = bytes.fromhex(case["plain"]) * case["repeat"]
    assert inflate(bytes.fromhex(case["body"])) == plain
    (frame,) = FrameDecoder().push(encode_message(7, plain, True))
    assert (inflate(frame.body) if frame.flags == FLAG_COMPRESSED else frame.body) == plain


@cases("compression.json", "bad")
def test_what_is_no_compressed_body_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolBroken):
        inflate(bytes.fromhex(case["body"]))


@cases("resume.json", "encodings")
def test_each_frame_of_a_client_that_comes_back_is_encoded_so(case: dict[str, Any]) -> None:
    data, name = bytes.fromhex(case["bytes"]), case["name"]
    if name == "offer":
        token, seconds, reply = decode_offer(data[8:])
        assert (token.hex(), seconds, reply.hex()) == (case["token"], case["seconds"], case["reply"])
    elif name == "ack":
        assert encode_ack(case["count"]) == data
    elif name == "resume":
        assert encode_resume(bytes.fromhex(case["token"]), case["count"]) == data
    elif name == "goodbye":
        assert encode_goodbye() == data
    elif name.startswith("login"):
        assert encode_frame(0, FLAG_RESUME, case["key"].encode()) == data


@cases("resume.json", "received")
def test_the_gate_is_told_at_the_same_times(case: dict[str, Any]) -> None:
    received = Received()
    assert [received.take(size) for size in case["bodies"]] == case["told"]


@cases("resume.json", "sent")
def test_the_same_messages_go_out_again(case: dict[str, Any]) -> None:
    sent, number = Sent(), 0
    for step in case["steps"]:
        for _ in range(step.get("send", 0)):
            number += 1
            sent.push(bytes([number]))
        try:
            if "acknowledged" in step:
                sent.acknowledge(step["acknowledged"])
            if "resumed" in step:
                sent.resume(step["resumed"])
            failed = False
        except ProtocolBroken:
            failed = True
        assert failed == step.get("error", False)
        out = []
        frame = sent.next()
        while frame is not None:
            out.append(frame[0])
            frame = sent.next()
        assert (out, sent.kept) == (step["out"], step["kept"])
