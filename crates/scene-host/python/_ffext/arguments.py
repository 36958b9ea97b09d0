"""What scripts may give, and what they are told of anything else: as the host does."""

import math
import operator
import re

from . import json_text

# Commands from here on are the gates' own.
LAST_COMMAND = 65533
# The longest message for clients, and the longest that a call takes, in bytes.
MAX_MESSAGE_BYTES = (1 << 20) - 4096 - 148 - 4096 * 8
MAX_BODY_BYTES = (1 << 20) - 4096
MAX_CHANNEL_BYTES = 128

_GROUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_NODE_NAME = re.compile(r"[A-Za-z0-9_-]+@(0|[1-9][0-9]{0,9})", re.ASCII)


def write(value, limit=None):
    """A value as it is sent: bytes as they are, messages of thrift and protobuf
    encoded by their types, anything else as JSON."""
    body = _write(value)
    if limit is not None and len(body) > limit:
        raise ValueError(
            f"a message has at most {limit} bytes, and this one {len(body)}; send it in parts"
        )
    return body


def _write(value):
    if json_text.has_form(value):
        return json_text.encode(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    from ffext import messages

    packed = messages.pack(value)
    return json_text.encode(value) if packed is None else packed


def read_cmd(cmd):
    """A command that clients do not take for one of the gate's own."""
    number = _index(cmd)
    if number is None or not 1 <= number <= LAST_COMMAND:
        raise ValueError(f"a cmd is a number from 1 to {LAST_COMMAND}, not {cmd!r}")
    return number


def read_service(cmd):
    """The command of a service."""
    number = None if isinstance(cmd, bool) else _index(cmd)
    if number is None or not 0 <= number <= 65535:
        raise ValueError(f"a service's cmd is a number from 0 to 65535, not {cmd!r}")
    return number


def _index(value):
    try:
        return operator.index(value)
    except TypeError:
        return None


def read_latest(latest):
    """Whether a message takes the place of an older one."""
    if latest is None or isinstance(latest, bool):
        return bool(latest)
    raise TypeError(f"latest is True or False, not {latest!r}")


def read_session(session_id):
    """The id of a session."""
    if not isinstance(session_id, str):
        raise TypeError(f"a session id is a str, not {session_id!r}")
    session_id.encode()
    return session_id


def read_channel(channel):
    """The name of a channel."""
    if not isinstance(channel, str):
        raise TypeError(
            f"a channel's name is a str, not {channel!r}; str() makes one of a number"
        )
    length = len(channel.encode())
    if not 0 < length <= MAX_CHANNEL_BYTES:
        raise ValueError(
            f"a channel's name has 1 to {MAX_CHANNEL_BYTES} bytes, and this one {length}"
        )
    return channel


def read_node(name, kind):
    """The name of a gate or a scene."""
    if not isinstance(name, str):
        raise TypeError(f"a {kind}'s name is a str such as '{kind}@0', not {name!r}")
    error = what_is_wrong_with(name)
    if error:
        raise ValueError(f"a {kind}'s name is such as '{kind}@0', not {name!r}: {error}")
    return name


def what_is_wrong_with(name):
    """Why a text is no name of a node, or None."""
    name.encode()
    match = _NODE_NAME.fullmatch(name)
    if match and len(name) <= 64 and int(match[1]) < 1 << 32:
        return None
    return (
        f"`{name[:64]}` is not a node's name: expected role@index, such as scene@0, "
        "of letters, digits, `-` and `_`, at most 64 bytes"
    )


def read_group(name, own):
    """The name of another group than ``own``."""
    if not isinstance(name, str) or not _GROUP_NAME.fullmatch(name):
        raise ValueError(f"a group's name is a str such as 'GroupB', not {name!r}")
    if name == own:
        raise ValueError(f"{name} is this scene's own group; call_service() calls its nodes")
    return name


def read_extra(value):
    """What goes along with a session: bytes, or a ``ValueError`` that says why not."""
    if isinstance(value, str):
        try:
            value = value.encode()
        except UnicodeEncodeError:
            raise ValueError("extra_data is no Unicode") from None
    elif not isinstance(value, bytes):
        raise ValueError(f"extra_data is bytes or str, not {type(value).__qualname__}")
    if len(value) > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"extra_data has at most {MAX_MESSAGE_BYTES} bytes, and this one {len(value)}; "
            "keep what is larger in a database"
        )
    return bytes(value)


def read_timeout(timeout):
    """How many seconds a call waits; None for as long as calls do."""
    if timeout is None:
        return None
    try:
        seconds = float(timeout)
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds > 0:
        raise ValueError(f"a timeout is seconds, more than 0, not {timeout!r}")
    return min(seconds, 365 * 24 * 3600.0)
