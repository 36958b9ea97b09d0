"""A login, over as many connections as it takes."""

import asyncio
import json
import random
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Optional, Union

from . import wires
from .errors import Closed, GateError, ProtocolBroken, Refused
from .frames import (
    CMD_ACK,
    CMD_PING,
    CMD_VERIFY,
    FLAG_CLOSED,
    FLAG_COMPRESSED,
    FLAG_RESUME,
    FLAG_TICKET,
    Frame,
    Redirect,
    decode_count,
    decode_offer,
    decode_redirect,
    encode_ack,
    encode_frame,
    encode_goodbye,
    encode_message,
    encode_resume,
    inflate,
)
from .resumption import Received, Sent

_COMPRESS_FROM = 1024
# As many messages may wait to be received before the gate is not read.
_MAX_WAITING = 1024
_PING_SECONDS = 20.0
_SILENCE_SECONDS = 45.0
_ATTEMPT_SECONDS = 10.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


class Message(NamedTuple):
    """A message of the game."""

    cmd: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def login(
    url: str,
    key: str,
    *,
    resume: bool = True,
    compress: bool = False,
    ssl_context: Optional[ssl.SSLContext] = None,
    on_away: Optional[Callable[[], None]] = None,
    on_back: Optional[Callable[[], None]] = None,
    on_fresh: Optional[Callable[[int], None]] = None,
    on_draining: Optional[Callable[[], None]] = None,
) -> "Session":
    """Connects to `tcp://host:port`, `tls://host:port`, `ws://host:port` or `wss://host`, and
    logs in; a login gate sends the player on. `ssl_context` says whose certificates are
    believed, those of the system unless it does.

    A connection that is lost is tried again (`on_away`, then `on_back`). If the gate does
    not have the session any more the player is let in anew, and so many messages that were
    sent may be lost (`on_fresh`). `on_draining`: the gate is about to go.

    `compress`: messages of 1 KiB and more are compressed in both directions, if the gate can.

    Raises `Refused` with the word of the game or the gate, `Closed` when there is no
    connection.
    """
    session = Session(url, key, resume, compress, ssl_context, on_away, on_back, on_fresh, on_draining)
    await session._begin()
    return session


class Session:
    """Made by `login`. Messages come one by one from `recv`, or by iteration."""

    def __init__(
        self,
        url: str,
        key: str,
        resume: bool,
        compress: bool,
        ssl_context: Optional[ssl.SSLContext],
        on_away: Optional[Callable[[], None]],
        on_back: Optional[Callable[[], None]],
        on_fresh: Optional[Callable[[int], None]],
        on_draining: Optional[Callable[[], None]],
    ) -> None:
        self.reply = b""
        self._url = url
        # Where the session is: there, or where it was sent.
        self._gate = url
        self._key = key
        self._ssl = ssl_context
        self._flags = (FLAG_RESUME if resume else 0) | (FLAG_COMPRESSED if compress else 0)
        self._compresses = False
        self._on_away, self._on_back = on_away, on_back
        self._on_fresh, self._on_draining = on_fresh, on_draining
        self._wire: Optional[wires.Wire] = None
        self._token: Optional[bytes] = None
        self._patience = 0.0
        self._sent = Sent()
        self._received = Received()
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_MAX_WAITING)
        self._error: Optional[GateError] = None
        self._heard = 0.0
        self._changed = asyncio.Event()
        self._to_write = asyncio.Event()
        self._task: Optional[asyncio.Task[None]] = None

    @property
    def is_connected(self) -> bool:
        return self._wire is not None

    @property
    def is_resumable(self) -> bool:
        return self._token is not None

    async def send(self, cmd: int, body: Union[bytes, str, Any]) -> None:
        """Sends a message: bytes as they are, a text as UTF-8, all else as JSON.

        It goes now, or when there is a connection again. Waits while 1,024 messages or
        256 KiB wait for the gate's word that they have come. Raises `Closed` when the
        session is over.
        """
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        while self._sent.is_full and self._error is None:
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error
        self._sent.push(encode_message(cmd, body, self._compresses and len(body) >= _COMPRESS_FROM))
        self._to_write.set()

    async def recv(self) -> Message:
        """The next message. Raises `Closed` when there is none any more."""
        while self._messages.empty():
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        message = self._messages.get_nowait()
        self._changed.set()
        return message

    def __aiter__(self) -> "Session":
        return self

    async def __anext__(self) -> Message:
        return await self.recv()

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the session: the game hears of it at once."""
        if self._error is None:
            self._error = Closed("closed", "the session was closed here")
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        wire, self._wire = self._wire, None
        if wire is not None:
            try:
                self._put_out(wire)
                if self._token is not None:
                    wire.write(encode_goodbye())
                await wire.drain()
            except GateError:
                pass
            await wire.close()
        self._changed.set()

    async def _begin(self) -> None:
        early = await self._log_in()
        self._task = asyncio.create_task(self._run(early))

    async def _run(self, early: list[Frame]) -> None:
        try:
            while True:
                try:
                    await self._live(early)
                except Closed as lost:
                    if lost.reason != "socket_error" or self._token is None:
                        raise
                if self._wire is not None:
                    wire, self._wire = self._wire, None
                    await wire.close()
                self._tell(self._on_away)
                early = await self._come_back()
        except Exception as error:
            # A callback of the application's may have raised, too: nobody waits in vain.
            if not isinstance(error, GateError):
                error = GateError("client_error", "a callback has raised %r" % error)
            self._error = error
            if self._wire is not None:
                wire, self._wire = self._wire, None
                await wire.close()
        finally:
            self._changed.set()

    async def _live(self, early: list[Frame]) -> None:
        """Both directions, until the connection is lost."""
        wire = self._wire
        assert wire is not None
        tasks = [
            asyncio.create_task(self._read(wire, early)),
            asyncio.create_task(self._write(wire)),
            asyncio.create_task(self._ping(wire)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, wire: wires.Wire, frames: list[Frame]) -> None:
        while True:
            for frame in frames:
                while self._messages.full():
                    self._changed.clear()
                    await self._changed.wait()
                self._hear(wire, frame)
            frames = await wire.read()
            self._heard = asyncio.get_running_loop().time()

    async def _write(self, wire: wires.Wire) -> None:
        while True:
            self._to_write.clear()
            self._put_out(wire)
            await wire.drain()
            await self._to_write.wait()

    async def _ping(self, wire: wires.Wire) -> None:
        """Asks the gate whether it is there: that keeps the session, too."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while loop.time() - self._heard < _SILENCE_SECONDS:
            await asyncio.sleep(_PING_SECONDS)
            wire.write(encode_frame(CMD_PING, 0, b""))
            self._to_write.set()
        raise Closed("socket_error", "the gate is silent")

    def _put_out(self, wire: wires.Wire) -> None:
        frame = self._sent.next()
        while frame is not None:
            wire.write(frame)
            frame = self._sent.next()
        if self._token is None:
            self._sent.forget()

    def _hear(self, wire: wires.Wire, frame: Frame) -> None:
        if frame.cmd == CMD_VERIFY and frame.flags & FLAG_CLOSED:
            reason = frame.body.decode(errors="replace")
            raise Closed(reason, "the gate has closed the session: %s" % reason)
        if frame.cmd == CMD_VERIFY:
            # Words that we do not know are for clients who do.
            if frame.body == b"draining":
                self._tell(self._on_draining)
        elif frame.cmd == CMD_ACK and self._token is not None:
            self._sent.acknowledge(decode_count(frame.body))
            self._changed.set()
        elif frame.cmd != CMD_PING:
            body = inflate(frame.body) if self._compresses and frame.flags & FLAG_COMPRESSED else frame.body
            due = self._received.take(len(body))
            if due is not None and self._token is not None:
                wire.write(encode_ack(due))
                self._to_write.set()
            self._messages.put_nowait(Message(frame.cmd, body))
            self._changed.set()

    async def _come_back(self) -> list[Frame]:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._patience, _FIRST_PAUSE
        while True:
            try:
                return await self._resume()
            except Refused as refused:
                if refused.reason == "resume_refused":
                    return await self._begin_afresh()
                raise Closed(refused.reason, str(refused)) from None
            except Closed as lost:
                if loop.time() + pause > until:
                    raise lost
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _resume(self) -> list[Frame]:
        assert self._token is not None
        wire, answer, early = await self._open(encode_resume(self._token, self._received.tell()))
        if (answer.cmd, answer.flags) != (CMD_ACK, FLAG_RESUME):
            await wire.close()
            raise ProtocolBroken("no answer to who comes back")
        self._sent.resume(decode_count(answer.body))
        self._wire = wire
        self._tell(self._on_back)
        self._changed.set()
        return early

    async def _begin_afresh(self) -> list[Frame]:
        lost = self._sent.kept
        early = await self._log_in()
        if self._on_fresh is not None:
            self._on_fresh(lost)
        return early

    async def _log_in(self) -> list[Frame]:
        key = encode_frame(CMD_VERIFY, self._flags, self._key.encode())
        for is_last in (False, True):
            self._gate = self._url
            entered = await self._enter(key)
            if not isinstance(entered, Redirect):
                return entered
            self._gate = wires.leads_to(self._url, entered.address)
            try:
                early = await self._enter(encode_frame(CMD_VERIFY, self._flags | FLAG_TICKET, entered.ticket))
            except Refused as refused:
                # It came too late: the next one may not.
                if is_last or refused.reason != "ticket_refused":
                    raise
                continue
            if isinstance(early, Redirect):
                raise ProtocolBroken("a ticket for another gate's ticket")
            self.reply = entered.reply
            return early
        raise AssertionError("the last one returns or raises")

    async def _enter(self, first: bytes) -> Union[list[Frame], Redirect]:
        """Says who this is: what came behind the answer, or where the player goes on."""
        wire, answer, early = await self._open(first)
        if answer.cmd != CMD_VERIFY:
            await wire.close()
            raise ProtocolBroken("no answer to the login")
        if answer.flags & FLAG_TICKET:
            await wire.close()
            return decode_redirect(answer.body)
        self._sent, self._received = Sent(), Received()
        self._token, self.reply = None, answer.body
        self._compresses = bool(answer.flags & FLAG_COMPRESSED)
        if answer.flags & FLAG_RESUME:
            self._token, seconds, self.reply = decode_offer(answer.body)
            self._patience = float(seconds)
        self._wire = wire
        self._changed.set()
        return early

    async def _open(self, first: bytes) -> tuple[wires.Wire, Frame, list[Frame]]:
        """Sends the first frame over a new connection: the answer, and what came with it."""
        try:
            return await asyncio.wait_for(self._ask(first), _ATTEMPT_SECONDS)
        except asyncio.TimeoutError:
            raise Closed("socket_error", "%s does not answer" % self._gate) from None

    async def _ask(self, first: bytes) -> tuple[wires.Wire, Frame, list[Frame]]:
        wire = await wires.connect(self._gate, self._ssl)
        try:
            wire.write(first)
            await wire.drain()
            answer, *early = await wire.read()
            if answer.cmd == CMD_VERIFY and answer.flags & FLAG_CLOSED:
                raise Refused(answer.body.decode(errors="replace"))
        except BaseException:
            await wire.close()
            raise
        return wire, answer, early

    @staticmethod
    def _tell(whom: Optional[Callable[[], None]]) -> None:
        if whom is not None:
            whom()
