"""Plays over WebSocket with a client library that is not ours.

    websocket_client.py ws://HOST:PORT/

Ends with 0 when everything was as the protocol says.
"""

import asyncio
import json
import struct
import sys

import websockets


def frame(cmd, body, flags=0):
    return struct.pack("<IHH", len(body), cmd, flags) + body


def parse(message):
    size, cmd, flags = struct.unpack_from("<IHH", message)
    assert len(message) == 8 + size, "a message is exactly one frame"
    return cmd, flags, message[8:]


async def login(url, name):
    socket = await websockets.connect(url)
    await socket.send(frame(0, name.encode()))
    cmd, flags, body = parse(await socket.recv())
    assert (cmd, flags) == (0, 0), body
    return socket, body


async def hears(socket, wanted):
    while True:
        cmd, _, body = parse(await socket.recv())
        if cmd == wanted:
            return body


async def closed_with(socket):
    """The gate's last word, and how the WebSocket itself was closed."""
    reason = None
    try:
        while True:
            cmd, flags, body = parse(await socket.recv())
            if (cmd, flags) == (0, 1):
                reason = body.decode()
    except websockets.ConnectionClosed:
        return reason


async def plays(url):
    socket, reply = await login(url, "wendy")
    assert reply == b"welcome wendy", reply
    await socket.send(frame(1, b'["hello"]'))
    assert json.loads(await hears(socket, 1)) == ["hello"]
    # A frame in fragments is a frame.
    whole = frame(1, b'["in pieces"]')
    await socket.send([whole[:3], whole[3:9], whole[9:]])
    assert json.loads(await hears(socket, 1)) == ["in pieces"]
    # Pings of both kinds.
    await (await socket.ping(b"ws"))
    await socket.send(frame(65535, b"ours"))
    assert await hears(socket, 65535) == b"ours"
    await socket.close()


async def misbehaves(url):
    socket, _ = await login(url, "texan")
    await socket.send("text where binary belongs")
    assert await closed_with(socket) == "protocol_error"

    socket, _ = await login(url, "liar")
    await socket.send(frame(1, b"[1]") + b"more")
    assert await closed_with(socket) == "protocol_error"

    socket, _ = await login(url, "short")
    await socket.send(b"\x01\x00")
    assert await closed_with(socket) == "protocol_error"

    socket, _ = await login(url, "giant")
    await socket.send(struct.pack("<IHH", 2**32 - 1, 1, 0))
    assert await closed_with(socket) == "frame_too_large"

    socket = await websockets.connect(url)
    await socket.send(frame(0, b"hasty"))
    await socket.send(frame(1, b"[1]"))
    # Either it was let in before its second frame came, or it is told.
    cmd, flags, body = parse(await socket.recv())
    assert cmd in (0, 100) and (flags == 0 or body == b"unverified_frame"), body
    await socket.close()

    socket = await websockets.connect(url)
    await socket.send(frame(0, b"\xff\xfe"))
    reason = await closed_with(socket)
    assert reason, "a key that is no text is refused in words"


async def main(url):
    await asyncio.wait_for(plays(url), 30)
    await asyncio.wait_for(misbehaves(url), 30)


asyncio.run(main(sys.argv[1]))
