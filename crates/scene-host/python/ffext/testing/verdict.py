"""What a verify callback's answer means."""

from __future__ import annotations

import re
from typing import Any

from _ffext import arguments

_NODE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}@(0|[1-9][0-9]{0,9})")


def read_verdict(value: Any) -> tuple[str, bytes, str | None] | None:
    """``[session_id]``, ``[session_id, reply]`` or ``[session_id, reply, gate]`` lets in;
    ``[]``, None and False do not; anything else is a mistake of the script:
    ``ValueError``."""
    if value is None or value is False:
        return None
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"expected a list of the session's id and a reply, found {_shown(value)}")
    if not value:
        return None
    if len(value) > 3:
        raise ValueError(f"expected one to three elements, found {len(value)}")
    session_id = value[0]
    if not isinstance(session_id, str):
        raise ValueError(f"expected a text as the session's id, found {_shown(session_id)}")
    try:
        length = len(session_id.encode())
    except UnicodeEncodeError:
        raise ValueError("the session's id is no Unicode") from None
    if not 1 <= length <= 128:
        raise ValueError(f"a session id is 1 to 128 bytes of text, this one has {length}")
    reply = _write_reply(value[1]) if len(value) > 1 else b""
    if len(reply) > arguments.MAX_MESSAGE_BYTES:
        raise ValueError(
            f"expected a reply of at most {arguments.MAX_MESSAGE_BYTES} bytes, found {len(reply)}"
        )
    return session_id, reply, _read_gate(value[2]) if len(value) > 2 else None


def _read_gate(gate: Any) -> str | None:
    if gate is None:
        return None
    if not isinstance(gate, str) or not _NODE_NAME.fullmatch(gate):
        raise ValueError(
            'expected a gate\'s name, such as "gate@1", as the third element, '
            f"found {_shown(gate)}"
        )
    return gate


def _write_reply(reply: Any) -> bytes:
    if reply is None:
        return b""
    if isinstance(reply, str):
        try:
            return reply.encode()
        except UnicodeEncodeError:
            raise ValueError("the reply is no Unicode") from None
    try:
        return bytes(arguments.write(reply))
    except TypeError as error:
        raise ValueError(f"the reply {error}") from None


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except Exception:
        return "a value that cannot be shown"
