"""What the script runs on: the host's half of sessions, without a network."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import _ffext
from _ffext import arguments, first_step

from .asks import Asks
from .loop import VirtualLoop
from .nodes import Nodes, call_error, finished, read, read_or_none
from .records import LogEntry, ScriptError, describe, level_name
from .session import Refused, Session
from .verdict import read_verdict

#: How long a handler may take, and how long a gate waits for a verdict: seconds.
HANDLER_TIMEOUT = 30.0
VERIFY_TIMEOUT = 10.0
#: Milliseconds from 2025-01-01 to the beginning of a test.
_IDS_BEGIN = 31_536_000_000

#: What a handler, a service or a callback is: function, decoder, concurrent, label.
Handler = tuple[Callable[..., Any], Any, bool, str]


class Seat:
    """A session's jobs: its enter, its frames, its leave or offline, in order."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], asyncio.Future[Any] | None]] = deque()
        self.is_busy = False
        self.client: Session | None = None
        #: Frames whose handlers let later jobs begin, and have not ended.
        self.detached = 0
        self.complaints: set[str] = set()


class Stage:
    """The scene, as the stand-in for the native half sees it."""

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        gates: set[str],
        ids: int = 0,
        group: str | None = None,
    ) -> None:
        self.name = name
        self.group = group
        self.loop = loop
        self.gates = gates
        self.thread = threading.get_ident()
        self.nodes = Nodes(self)
        self.asks = Asks(loop)
        self.clients: dict[int, Session] = {}
        self.seats: dict[str, Seat] = {}
        self.calls: dict[int, Handler] = {}
        self.services: dict[int, Handler] = {}
        self.callbacks: dict[str, Handler] = {}
        self.errors: list[ScriptError] = []
        self.logs: list[LogEntry] = []
        self.moves: list[tuple[str, str, bytes]] = []
        self.load_error: str | None = None
        self.test_error: BaseException | None = None
        self.context = contextvars.copy_context()
        self.last_id = ids
        self.databases: Any = None

    # What the stand-in for the native half asks for.

    def find(self, session_id: str) -> Session | None:
        """The client of a session that is in this scene."""
        seat = self.seats.get(session_id)
        return None if seat is None else seat.client

    def is_scene(self, name: str) -> bool:
        """Whether sessions can go there."""
        return self.nodes.is_ready(name) and name not in self.gates

    def broadcast(self, whom: Callable[[Session], bool], parcel: tuple[int, bytes, bool]) -> bool:
        """Sends a message to these clients, whichever scene they are in."""
        for client in list(self.clients.values()):
            if whom(client):
                client.deliver(*parcel)
        return True

    def close(self, client: Session, reason: str) -> None:
        """The client's connection ends, and its offline follows."""
        if client.closed is None:
            client.closed = reason
            self.clients.pop(client.login, None)
            self.loop.call_soon(self._offline, client)

    def ask_to_change(self, session_id: str, to_scene: str, extra_data: bytes) -> bool:
        """The script sends a session to another scene."""
        client = self.find(session_id)
        if client is None or client.asked:
            return False
        client.asked = True
        self.loop.call_soon(self.leave, client, to_scene, extra_data)
        return True

    def alloc_id(self) -> int:
        """Rising, and made as the host makes it, of the scene's own time."""
        milliseconds = _IDS_BEGIN + int(self.loop.time() * 1000)
        index = int(self.name.partition("@")[2])
        self.last_id = max(milliseconds << 22 | index, self.last_id + (1 << 12))
        return self.last_id

    def install(self, calls: Any, callbacks: Any, services: Any) -> None:
        """These functions are in force from now on, and no others."""
        self.calls = {
            cmd: (function, decoder, concurrent, label)
            for cmd, function, decoder, concurrent, label in calls
        }
        self.services = {
            cmd: (function, decoder, True, label) for cmd, function, decoder, label in services
        }
        self.callbacks = {
            kind: (function, None, False, label) for kind, (function, label) in callbacks.items()
        }

    def log(self, level: int, module: str, text: str) -> None:
        """A line of the log."""
        self.logs.append(LogEntry(level_name(level), module, text))

    def failed(self, kind: str, label: str, session: str, error: BaseException) -> None:
        """Something of the script has failed."""
        self.errors.append(ScriptError(kind, label, session, error, describe(error)))

    def failed_elsewhere(self, kind: str, label: str, text: str) -> None:
        """The same, of which only a text is left."""
        self.errors.append(ScriptError(kind, label, "", None, text))

    def loaded(self, module: str, kept: Any) -> None:
        """A load has succeeded."""
        self.load_error = None
        self.log(20, "ffext", f"script loaded: {module}")
        if kept:
            self.log(30, "ffext", f"kept as it was: {', '.join(kept)}")

    def load_failed(self, module: str, reason: str, traceback: str) -> None:
        """A load has failed."""
        self.load_error = traceback or reason
        self.log(40, "ffext", f"script not loaded: {reason}")

    def version(self) -> tuple[int, str]:
        """Which script runs."""
        from ffext import version

        runs = version()
        return runs.version, runs.hash

    # What a gate tells.

    def verify(self, key: str, online_time: int, ip: str, gate: str) -> asyncio.Future[Any]:
        """Asks the script about a client; gives (session id, reply, gate) or why not."""
        future: asyncio.Future[Any] = self.loop.create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            if future.done():
                return
            verdict: Any = Refused("verification failed")
            if error is None:
                try:
                    verdict = read_verdict(value) or Refused("refused")
                except ValueError as nonsense:
                    label = self.callbacks.get("verify", (None, None, False, ""))[3]
                    self.errors.append(
                        ScriptError("verify", label, "", None, f"verify returned nonsense: {nonsense}")
                    )
            future.set_result(verdict)

        handler = self.callbacks.get("verify")
        if handler is None:
            self.log(30, "ffext", "no session_verify_callback: every client is refused")
            future.set_result(Refused("nobody verifies clients here"))
            return future
        waits = self._run("verify", handler, "", (key, online_time, ip, gate), settle, VERIFY_TIMEOUT)
        if waits is None and not future.done():
            settle(None, AssertionError("unreachable"))
        return future

    def enter(self, client: Session, from_scene: str, extra_data: bytes) -> None:
        """A session begins here."""
        older = self.find(client.id)
        if older is not None:
            self.log(20, "ffext", f"session replaced: {client.id}")
            self._offline(older)
            older.closed = "replaced"
            self.clients.pop(older.login, None)
        seat = self.seats.setdefault(client.id, Seat())
        seat.client = client
        client.scene = self.name
        client.asked = False
        seat.jobs.append(lambda: self._callback("enter", client, (client.id, from_scene, extra_data)))
        self._run_jobs(client.id)

    def frame(self, client: Session, cmd: int, body: bytes) -> None:
        """A client has sent something."""
        self.seats[client.id].jobs.append(lambda: self._frame(client, cmd, body))
        self._run_jobs(client.id)

    def leave(self, client: Session, to_scene: str, extra_data: bytes) -> None:
        """A session goes to another scene, behind the frames that it has sent."""
        seat = self.seats.get(client.id)
        if seat is None or seat.client is not client:
            return
        client.asked = True

        def gone(value: Any, error: BaseException | None) -> None:
            client.extra_data = extra_data
            if error is None and value is not None:
                try:
                    client.extra_data = arguments.read_extra(value)
                except ValueError as nonsense:
                    text = f"leave returned nonsense; what was asked for goes along: {nonsense}"
                    label = self.callbacks["leave"][3]
                    self.errors.append(ScriptError("leave", label, client.id, None, text))
            if client.closed is None:
                client.scene = to_scene
                self.moves.append((client.id, to_scene, client.extra_data))
            if seat.client is client:
                seat.client = None

        arguments_ = (client.id, to_scene, extra_data)
        seat.jobs.append(lambda: self._callback("leave", client, arguments_, gone))
        self._run_jobs(client.id)

    def _offline(self, client: Session) -> None:
        seat = self.seats.get(client.id)
        if seat is None or seat.client is not client:
            return
        seat.client = None
        online = (client.id, client.online_time)
        seat.jobs.append(lambda: self._callback("offline", client, online))
        self._run_jobs(client.id)

    # What another node tells.

    async def serve(
        self, cmd: int, body: bytes, wait: float, caller: tuple[str | None, str]
    ) -> bytes:
        """Calls a service of the script, as that node of that group."""
        from ffext import Caller

        handler = self.services.get(cmd)
        if handler is None:
            raise call_error("unimplemented", f"{self.name} does not serve command {cmd}")
        try:
            message = read_or_none(body, handler[1])
        except ValueError as reason:
            self.log(30, "ffext", f"call cannot be read: {reason}")
            raise call_error("handler", f"the message cannot be read: {reason}") from None
        future: asyncio.Future[bytes] = self.loop.create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if isinstance(error, TimeoutError) and error.args == (_TOO_LONG,):
                message = f"{handler[3]} did not end in time"
                future.set_exception(call_error("deadline_exceeded", message))
                return
            try:
                if error is not None:
                    raise error
                answer = b"" if value is None else arguments.write(value)
            except BaseException as failure:
                if failure is not error:
                    self.failed("service", handler[3], "", failure)
                text = f"{type(failure).__qualname__}: {failure}".removesuffix(": ")
                future.set_exception(call_error("handler", text[:300]))
                return
            if len(answer) > arguments.MAX_BODY_BYTES:
                text = f"an answer of {len(answer)} bytes, at most {arguments.MAX_BODY_BYTES} are allowed"
                future.set_exception(call_error("too_large", text))
            else:
                future.set_result(answer)

        wait = min(wait, HANDLER_TIMEOUT)
        self._run("service", handler, "", (message,), settle, wait, Caller(*caller))
        return await future

    async def play(self, function: Callable[[Any], Any], message: Any) -> bytes:
        """Has a function of the test answer."""
        from ffext import CallError

        try:
            answer = await finished(function(message))
        except CallError:
            raise
        except Exception as error:
            if isinstance(error, AssertionError):
                self.test_error = error
            raise call_error("handler", f"{type(error).__qualname__}: {error}") from error
        return b"" if answer is None else arguments.write(answer)

    # Jobs.

    def _run_jobs(self, session_id: str) -> None:
        seat = self.seats.get(session_id)
        if seat is None or seat.is_busy:
            return
        seat.is_busy = True
        while seat.jobs:
            waits = seat.jobs.popleft()()
            if waits is not None:
                waits.add_done_callback(lambda _: self._go_on(session_id))
                return
        seat.is_busy = False
        if seat.client is None and not seat.detached:
            self.seats.pop(session_id, None)

    def _go_on(self, session_id: str) -> None:
        self.seats[session_id].is_busy = False
        self._run_jobs(session_id)

    def _callback(
        self,
        kind: str,
        client: Session,
        what: tuple[Any, ...],
        settle: Callable[[Any, BaseException | None], None] = lambda value, error: None,
    ) -> asyncio.Future[Any] | None:
        handler = self.callbacks.get(kind)
        if handler is None:
            settle(None, None)
            return None
        return self._run(kind, handler, client.id, what, settle)

    def _frame(self, client: Session, cmd: int, body: bytes) -> asyncio.Future[Any] | None:
        seat = self.seats[client.id]
        handler = self.calls.get(cmd)
        if handler is None:
            self._complain(seat, f"no handler for the cmd of a frame: {cmd}, of {client.id}", "cmd")
            return None
        function, decoder, is_concurrent, label = handler
        try:
            value = read(body, decoder)
        except ValueError as error:
            self._complain(seat, f"frame of cmd {cmd} cannot be read, of {client.id}: {error}", "body")
            return None

        def settle(value: Any, error: BaseException | None) -> None:
            if is_concurrent:
                seat.detached -= 1

        seat.detached += is_concurrent
        waits = self._run("call", handler, client.id, (client.id, value), settle)
        return None if is_concurrent else waits

    def _complain(self, seat: Seat, text: str, what: str) -> None:
        if what not in seat.complaints:
            seat.complaints.add(what)
            self.log(30, "ffext", text)

    def _run(
        self,
        kind: str,
        handler: Handler,
        session: str,
        what: tuple[Any, ...],
        settle: Callable[[Any, BaseException | None], None],
        limit: float = HANDLER_TIMEOUT,
        caller: Any = None,
    ) -> asyncio.Future[Any] | None:
        """Calls a function of the script. ``settle`` hears how it ended; returns what
        ends by then, if that is later."""
        function, _, _, label = handler
        done: asyncio.Future[None] = self.loop.create_future()

        def ended(value: Any, error: BaseException | None) -> None:
            if done.done():
                return
            if error is not None and error.args != (_TOO_LONG,):
                self.failed(kind, label, session, error)
            settle(value, error)
            done.set_result(None)

        def call() -> asyncio.Future[Any] | None:
            task, value = first_step.follow_up(self.loop, function(*what))
            if task is None:
                ended(value, None)
            return task

        context = self.context.copy()
        if caller is not None:
            context.run(_ffext.served.set, caller)
        try:
            task = context.run(call)
        except BaseException as error:
            ended(None, error)
            return None
        if task is None:
            return None

        def expire() -> None:
            self.errors.append(
                ScriptError(kind, label, session, None, "handler cancelled after its time limit")
            )
            task.cancel()
            ended(None, TimeoutError(_TOO_LONG))

        limited = self.loop.call_later(limit, expire)

        def over(task: asyncio.Future[Any]) -> None:
            limited.cancel()
            if task.cancelled():
                ended(None, asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                ended(None, error)
            else:
                ended(task.result(), None)

        task.add_done_callback(over)
        return done


_TOO_LONG = "handler cancelled after its time limit"


