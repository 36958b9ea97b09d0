"""A client of the group, as a test plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _ffext import arguments

from .records import Message, read

if TYPE_CHECKING:
    from .scene import Scene


class Refused:
    """A client that was not let in; false, as a :class:`Session` is true::

        assert not scene.login('wrong password')

    It is what ``login()`` returns then.
    """

    def __init__(self, reason: str) -> None:
        #: Why: ``refused``, ``verification failed``, ``verification timed out``.
        self.reason = reason

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<Refused: {self.reason}>"


class Session:
    """A client that was let in.

    It reads what it is sent at once, unless it is told to :meth:`pause`.
    """

    def __init__(self, scene: Scene, session_id: str, login: int, gate: str, ip: str) -> None:
        self._scene = scene
        self._expected = 0
        self._waiting: list[Message] | None = None
        #: Who it is: the ``session_id`` of the script's functions.
        self.id = session_id
        #: The number of its login, which rises.
        self.login = login
        #: The gate that it is connected to.
        self.gate = gate
        #: Its address.
        self.ip = ip
        #: When it connected, Unix seconds.
        self.online_time = 0
        #: What the verify callback sent to it, decoded; None if that was nothing.
        self.reply: Any = None
        #: The scene that it is in.
        self.scene = scene.name
        #: What the last scene has sent along with it.
        self.extra_data = b""
        #: The channels that it has joined.
        self.channels: set[str] = set()
        #: Everything that it has got: a list of ``(cmd, value)``.
        self.received: list[Message] = []
        #: Why its connection has ended, ``closed_by_scene`` say; None while it has not.
        self.closed: str | None = None
        #: Whether it has been asked to go to another scene.
        self.asked = False

    def __repr__(self) -> str:
        return f"<Session {self.id!r} in {self.scene}{', closed' if self.closed else ''}>"

    def send(self, cmd: int, value: Any = None) -> Session:
        """Sends the script a frame: ``bytes`` as they are, messages of thrift and
        protobuf encoded, anything else as JSON. The handler has run when this
        returns, as far as it can without time passing. Returns the session, so that
        frames can be sent in a row."""
        if isinstance(cmd, bool) or not isinstance(cmd, int) or not 0 <= cmd <= arguments.LAST_COMMAND:
            raise ValueError(f"clients send cmds from 0 to {arguments.LAST_COMMAND}, not {cmd!r}")
        body = arguments.write(value)
        self._must_be_here("sends")
        stage = self._scene._stage
        self._scene._do(lambda: stage.frame(self, int(cmd), body))
        return self

    def expect(self, cmd: int, within: float = 0) -> Any:
        """The value of the next message of a cmd that it has not been asked for yet;
        others before it are passed over. ``AssertionError`` if there is none, also
        ``within`` so many seconds of the scene's time."""
        found = self._find(cmd)
        if found is None and within:
            self._scene._let_pass(lambda: self._find(cmd) is not None, within)
            found = self._find(cmd)
        if found is None:
            rest = self.received[self._expected :]
            raise AssertionError(f"{self.id!r} has got no message of cmd {cmd}, but {rest or 'nothing'}")
        self._expected = found + 1
        return self.received[found].value

    def take(self, cmd: int | None = None) -> list[Any]:
        """The values of all messages that have come since they were last taken or
        expected, of one cmd or of all."""
        new = self.received[self._expected :]
        self._expected = len(self.received)
        return [message.value for message in new if cmd is None or message.cmd == cmd]

    def leave(self, to: str, extra_data: bytes = b"") -> bytes:
        """Goes to another scene, as if it had been asked to by
        ``change_session_scene()``: the leave callback runs. Returns the extra data
        that goes along."""
        self._must_be_here("leaves")
        stage = self._scene._stage
        self._scene._do(lambda: stage.leave(self, to, extra_data))
        return self.extra_data

    def close(self) -> None:
        """Ends its connection: the offline callback runs."""
        if self.closed is None:
            stage = self._scene._stage
            self._scene._do(lambda: stage.close(self, "client"))

    def pause(self) -> None:
        """Reads nothing for now, as a slow client does: what is sent to it waits, and
        a ``latest`` message takes the place of the one that waits."""
        if self._waiting is None:
            self._waiting = []

    def resume(self) -> None:
        """Reads what has waited, and goes on reading."""
        self.received += self._waiting or []
        self._waiting = None

    def deliver(self, cmd: int, body: bytes, latest: bool) -> None:
        """A gate sends it a message."""
        if self.closed is not None:
            return
        message = Message(cmd, body, latest)
        if self._waiting is None:
            self.received.append(message)
            return
        if latest:
            for place, older in enumerate(self._waiting):
                if older.latest and older.cmd == cmd:
                    self._waiting[place] = message
                    return
        self._waiting.append(message)

    def read_reply(self, body: bytes) -> None:
        """What came with the verdict."""
        self.reply = read(body) if body else None

    def _find(self, cmd: int) -> int | None:
        for place in range(self._expected, len(self.received)):
            if self.received[place].cmd == cmd:
                return place
        return None

    def _must_be_here(self, what: str) -> None:
        if self.closed is not None:
            raise AssertionError(f"{self.id!r} {what}, but its connection has ended: {self.closed}")
        if self.scene != self._scene.name:
            raise AssertionError(f"{self.id!r} {what}, but it is in {self.scene}")
