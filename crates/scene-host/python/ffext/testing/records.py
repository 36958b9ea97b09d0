"""What a test sees of a script: messages, errors, lines of the log."""

from __future__ import annotations

import traceback
from typing import Any, NamedTuple

from _ffext import json_text

_LEVELS = ((40, "ERROR"), (30, "WARN"), (20, "INFO"), (10, "DEBUG"), (0, "TRACE"))


class Message(tuple[int, Any]):
    """A message that a client has got: ``(cmd, value)``.

    The value is that of the JSON text which the message is; ``bytes`` if it is
    none. ``body`` is what was sent, ``latest`` whether it takes an older one's place.
    """

    cmd: int
    value: Any
    body: bytes
    latest: bool

    def __new__(cls, cmd: int, body: bytes, latest: bool = False) -> Message:
        value = read(body)
        self = super().__new__(cls, (cmd, value))
        self.cmd, self.value, self.body, self.latest = cmd, value, body, latest
        return self

    def __repr__(self) -> str:
        return f"({self.cmd}, {self.value!r})"


class LogEntry(NamedTuple):
    """A line of the scene's log."""

    level: str
    module: str
    text: str


class ScriptError(NamedTuple):
    """Something of the script that has failed.

    ``kind`` is what it was called for: ``call``, ``verify``, ``enter``, ``leave``,
    ``offline``, ``service``, ``timer``, ``task`` and so on; ``handler`` is the
    function, ``session`` whose it was, ``error`` the exception.
    """

    kind: str
    handler: str
    session: str
    error: BaseException | None
    text: str

    def __str__(self) -> str:
        who = f" for session {self.session!r}" if self.session else ""
        return f"{self.kind} {self.handler}{who} failed:\n{self.text.rstrip()}"


def read(body: bytes) -> Any:
    """The value of a JSON text; the bytes themselves if they are none."""
    try:
        return json_text.decode(body)
    except ValueError:
        return body


def level_name(level: int) -> str:
    """A level of ``logging``, in the log's words."""
    return next((name for least, name in _LEVELS if level >= least), "TRACE")


def describe(error: BaseException) -> str:
    """An exception with its traceback."""
    return "".join(traceback.format_exception(error))
