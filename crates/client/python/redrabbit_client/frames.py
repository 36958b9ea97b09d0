"""Frames, as they stand on the wire: proto/clients.md."""

import struct
import zlib
from typing import NamedTuple

from .errors import ProtocolBroken

CMD_VERIFY = 0
CMD_ACK = 65534
CMD_PING = 65535
FLAG_CLOSED = 1
FLAG_RESUME = 2
FLAG_NOTICE = 4
FLAG_TICKET = 8
FLAG_COMPRESSED = 16

# No message of a gate is larger.
MAX_BODY_BYTES = 1 << 20

_HEAD = struct.Struct("<IHH")
_COUNT = struct.Struct("<Q")
_SIZE = struct.Struct("<I")
# Raw DEFLATE.
_WINDOW_BITS = -15
_OFFER = struct.Struct("<16sI")
_REDIRECT = struct.Struct("<16sH")


class Frame(NamedTuple):
    """What it is, what the gate means by it, and its bytes."""

    cmd: int
    flags: int
    body: bytes


def encode_frame(cmd: int, flags: int, body: bytes) -> bytes:
    return _HEAD.pack(len(body), cmd, flags) + body


class FrameDecoder:
    """Cuts bytes into frames, however they come."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def push(self, data: bytes) -> list[Frame]:
        self._kept += data
        frames, at = [], 0
        while len(self._kept) - at >= _HEAD.size:
            size, cmd, flags = _HEAD.unpack_from(self._kept, at)
            if size > MAX_BODY_BYTES:
                raise ProtocolBroken("a frame of %d bytes" % size)
            end = at + _HEAD.size + size
            if end > len(self._kept):
                break
            frames.append(Frame(cmd, flags, bytes(self._kept[at + _HEAD.size : end])))
            at = end
        del self._kept[:at]
        return frames

    @property
    def is_empty(self) -> bool:
        """Whether the last frame was whole."""
        return not self._kept


class Redirect(NamedTuple):
    """Where a login gate sends a player, what is shown there, and what the game says."""

    ticket: bytes
    address: str
    reply: bytes


def decode_redirect(body: bytes) -> Redirect:
    if len(body) >= _REDIRECT.size:
        ticket, length = _REDIRECT.unpack_from(body)
        end = _REDIRECT.size + length
        if end <= len(body):
            address = body[_REDIRECT.size : end].decode(errors="replace")
            return Redirect(ticket, address, body[end:])
    raise ProtocolBroken("a way to another gate that is none")


def encode_message(cmd: int, body: bytes, compress: bool) -> bytes:
    """A message as a frame, compressed if it may be and that makes it smaller."""
    if compress:
        deflate = zlib.compressobj(1, wbits=_WINDOW_BITS)
        compressed = _SIZE.pack(len(body)) + deflate.compress(body) + deflate.flush()
        if len(compressed) < len(body):
            return encode_frame(cmd, FLAG_COMPRESSED, compressed)
    return encode_frame(cmd, 0, body)


def inflate(body: bytes) -> bytes:
    """A body as it was before it was compressed. Makes no more than a message may have."""
    if len(body) < _SIZE.size:
        raise ProtocolBroken("a compressed message that is none")
    (size,) = _SIZE.unpack_from(body)
    if size > MAX_BODY_BYTES:
        raise ProtocolBroken("a message of %d bytes" % size)
    deflate = zlib.decompressobj(wbits=_WINDOW_BITS)
    try:
        inflated = deflate.decompress(body[_SIZE.size :], size + 1)
    except zlib.error:
        inflated = b""
    if len(inflated) != size or not deflate.eof or deflate.unused_data:
        raise ProtocolBroken("a compressed message that is none")
    return inflated


def encode_ack(count: int) -> bytes:
    """So many messages have come."""
    return encode_frame(CMD_ACK, 0, _COUNT.pack(count))


def encode_resume(token: bytes, received: int) -> bytes:
    """The first frame of a client that comes back."""
    return encode_frame(CMD_ACK, FLAG_RESUME, token + _COUNT.pack(received))


def encode_goodbye() -> bytes:
    """The client goes for good."""
    return encode_frame(CMD_ACK, FLAG_CLOSED, b"")


def decode_count(body: bytes) -> int:
    if len(body) != _COUNT.size:
        raise ProtocolBroken("a count that is none")
    (count,) = _COUNT.unpack(body)
    return int(count)


def decode_offer(body: bytes) -> tuple[bytes, int, bytes]:
    """The token, the seconds that the gate waits, and what the game says."""
    if len(body) < _OFFER.size:
        raise ProtocolBroken("a way back that is none")
    token, seconds = _OFFER.unpack_from(body)
    return token, seconds, body[_OFFER.size :]
