"""The two ways to a gate."""

import asyncio
import ssl
from typing import Any, Optional, Protocol
from urllib.parse import urlsplit

from .errors import Closed, GateError, ProtocolBroken
from .frames import Frame, FrameDecoder

_READ_BYTES = 64 * 1024
_ENCRYPTED = ("tls://", "wss://")
_ADDRESSES = "tcp://host:port, tls://host:port, ws://host:port or wss://host"


class Wire(Protocol):
    """A connection. What is lost with it is told as `Closed`, with `socket_error`."""

    def write(self, frame: bytes) -> None: ...

    async def drain(self) -> None: ...

    async def read(self) -> list[Frame]: ...

    async def close(self) -> None: ...


def _lost(error: object) -> Closed:
    return Closed("socket_error", "the connection was lost: %s" % error)


def leads_to(here: str, there: str) -> str:
    """Where a gate sends its players. What began with TLS goes on with it."""
    if here.startswith(_ENCRYPTED) and not there.startswith(_ENCRYPTED):
        raise ProtocolBroken("a gate with TLS that sends its players to one without")
    return there


async def connect(url: str, context: Optional[ssl.SSLContext]) -> Wire:
    """Connects to an address, and shakes hands where that asks for TLS."""
    parts = urlsplit(url)
    if url.startswith(_ENCRYPTED):
        context = context or ssl.create_default_context()
    else:
        context = None
    try:
        if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port:
            return Tcp(*await asyncio.open_connection(parts.hostname, parts.port, ssl=context))
        if parts.scheme in ("ws", "wss"):
            return await WebSocket.connect(url, context)
    except OSError as error:
        raise _lost(error) from error
    raise GateError("address", "%r is no address of a gate: expected %s" % (url, _ADDRESSES))


class Tcp:
    """Frames one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameDecoder()

    def write(self, frame: bytes) -> None:
        self._writer.write(frame)

    async def drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise _lost(error) from error

    async def read(self) -> list[Frame]:
        while True:
            try:
                data = await self._reader.read(_READ_BYTES)
            except OSError as error:
                raise _lost(error) from error
            if not data:
                raise _lost("it has ended")
            frames = self._frames.push(data)
            if frames:
                return frames

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass


class WebSocket:
    """One frame a message, with the package `websockets`."""

    def __init__(self, socket: Any, closed: type[Exception]) -> None:
        self._socket = socket
        self._closed = closed
        self._waiting: list[bytes] = []

    @classmethod
    async def connect(cls, url: str, context: Optional[ssl.SSLContext]) -> "WebSocket":
        try:
            from websockets.asyncio.client import connect as open_websocket
            from websockets.exceptions import WebSocketException
        except ImportError:
            raise GateError("address", "ws:// needs the package websockets: pip install websockets") from None
        try:
            socket = await open_websocket(
                url, ssl=context, ping_interval=None, max_size=(1 << 20) + 8, compression=None
            )
        except WebSocketException as error:
            raise _lost(error) from error
        return cls(socket, WebSocketException)

    def write(self, frame: bytes) -> None:
        self._waiting.append(frame)

    async def drain(self) -> None:
        try:
            while self._waiting:
                await self._socket.send(self._waiting[0])
                del self._waiting[0]
        except (OSError, self._closed) as error:
            raise _lost(error) from error

    async def read(self) -> list[Frame]:
        try:
            message = await self._socket.recv()
        except (OSError, self._closed) as error:
            raise _lost(error) from error
        whole = FrameDecoder()
        frames = whole.push(message) if isinstance(message, bytes) else []
        if len(frames) != 1 or not whole.is_empty:
            raise ProtocolBroken("a message that is not one frame")
        return frames

    async def close(self) -> None:
        await self._socket.close()
