"""Stands in for the native half of ``ffext`` where that is not: everywhere but in
a scene. So scripts can be imported, type-checked and tested with any Python.

Inside of ``with ffext.testing.Scene(…)`` its functions do what the host's do;
elsewhere they say that there is no scene. A scene never loads this: the host's
own half is built in, and comes first.
"""

import contextvars
import threading

from . import arguments, first_step, json_text
from .first_step import Begun
from .grafting import graft

__all__ = [
    "Begun",
    "alloc_id",
    "begin",
    "bridge_call",
    "broadcast_msg_gate",
    "broadcast_msg_session",
    "call_service",
    "caller",
    "change_session_scene",
    "check_thread",
    "close_session",
    "decode_json",
    "encode",
    "entered",
    "failed",
    "failed_elsewhere",
    "give_up",
    "graft",
    "install",
    "is_exist",
    "join_channel",
    "leave_channel",
    "left",
    "load_failed",
    "loaded",
    "log",
    "log_level",
    "lookup",
    "multi_send_msg_session",
    "open_database",
    "own_files",
    "send_channel",
    "send_msg_session",
]

#: The scene of the test that runs.
stage = None
#: Who calls the service that runs.
served = contextvars.ContextVar("ffext.caller", default=None)


def current():
    """The scene, to those who are on its thread."""
    if stage is None:
        raise RuntimeError(
            "there is no scene here; a test makes one: with ffext.testing.Scene('main.py') as scene"
        )
    if stage.thread != threading.get_ident():
        raise RuntimeError(
            "ffext is used from the scene's own thread; from another one, use "
            "loop.call_soon_threadsafe()"
        )
    return stage


def _parcel(cmd, value, latest):
    return (
        arguments.read_cmd(cmd),
        arguments.write(value, arguments.MAX_MESSAGE_BYTES),
        arguments.read_latest(latest),
    )


def send_msg_session(session_id, cmd, value, latest=None):
    """Sends a session a message: `bytes` as they are, messages of thrift and protobuf by
    their types, anything else as JSON.

    ```python
    ffext.send_msg_session(session_id, 1, {'hp': 5})
    ffext.send_msg_session(session_id, 2, [x, y], latest=True)
    ```

    `cmd` is a number from 1 to 65533. `latest=True` is for messages of which only the
    newest is of use, where somebody stands say: it takes the place of an older one of
    its cmd that still waits for a slow client.

    Raises `TypeError` for what cannot be sent, and `ValueError` for what is no cmd or is
    longer than 1,011,564 bytes.

    Returns whether it is on its way: the session is in this scene, and there was
    room for the message.
    """
    here = current()
    parcel = _parcel(cmd, value, latest)
    client = here.find(arguments.read_session(session_id))
    if client is None:
        return False
    client.deliver(*parcel)
    return True


def multi_send_msg_session(session_ids, cmd, value, latest=None):
    """Sends several sessions one message; crosses to each gate once, or, to very
    many sessions, as often as their logins do not fit beside it. The rest is as with
    `send_msg_session()`.

    ```python
    ffext.multi_send_msg_session(room.members, 1, 'the door opens')
    ```

    Returns to how many it is on its way; those that are not in this scene are
    left out.
    """
    here = current()
    if isinstance(session_ids, str):
        raise TypeError(
            "multi_send_msg_session() takes several session ids; for one there is "
            "send_msg_session()"
        )
    parcel = _parcel(cmd, value, latest)
    found = [here.find(arguments.read_session(session_id)) for session_id in session_ids]
    # A session that is named twice gets the message once.
    clients = dict.fromkeys(client for client in found if client is not None)
    for client in clients:
        client.deliver(*parcel)
    return len(clients)


def broadcast_msg_session(cmd, value, latest=None):
    """Sends every client of the group a message, whichever scene it is in; crosses to each
    gate once. The rest is as with `send_msg_session()`.

    ```python
    ffext.broadcast_msg_session(1, 'the server restarts in five minutes')
    ```

    Returns whether it is on its way.
    """
    return current().broadcast(lambda client: True, _parcel(cmd, value, latest))


def broadcast_msg_gate(gate_name, cmd, value, latest=None):
    """Sends every client of a gate a message. The rest is as with `send_msg_session()`.

    ```python
    ffext.broadcast_msg_gate('gate@0', 1, 'this gate closes in five minutes')
    ```

    Returns whether it is on its way: the gate is in the group, and there was room
    for the message.
    """
    here = current()
    gate = arguments.read_node(gate_name, "gate")
    parcel = _parcel(cmd, value, latest)
    if gate not in here.gates:
        return False
    return here.broadcast(lambda client: client.gate == gate, parcel)


def send_channel(channel, cmd, value, latest=None):
    """Sends everybody who has joined a channel a message, whichever scene they are
    in; crosses to each gate once. The rest is as with `send_msg_session()`.

    ```python
    ffext.send_channel('guild 7', 1, {'from': session_id, 'text': text})
    ```

    Returns whether it is on its way.
    """
    here = current()
    channel = arguments.read_channel(channel)
    return here.broadcast(lambda client: channel in client.channels, _parcel(cmd, value, latest))


def close_session(session_id):
    """Ends the connection of a session. Its offline follows when the gate has done so;
    what was sent to it before this arrives.

    ```python
    ffext.close_session(session_id)
    ```

    Returns whether the session is in this scene.
    """
    here = current()
    client = here.find(arguments.read_session(session_id))
    if client is None:
        return False
    here.close(client, "closed_by_scene")
    return True


def change_session_scene(session_id, to_scene, extra_data=None):
    """Sends a session to another scene, with `extra_data`, `bytes` or `str`, for that
    scene's enter callback.

    ```python
    ffext.change_session_scene(session_id, 'scene@1', json.dumps({'hp': 5}))
    ```

    The session goes on as it is until the frames that its client has sent are
    handled; then its leave callback runs here, and its enter callback there.
    Returns whether that has been asked for: False if the session is not in this
    scene or about to leave it, if it is to go where it is, or if there is no such
    scene in the group.
    """
    here = current()
    session_id = arguments.read_session(session_id)
    to_scene = arguments.read_node(to_scene, "scene")
    extra_data = b"" if extra_data is None else _read_extra(extra_data)
    if to_scene == here.name or not here.is_scene(to_scene):
        return False
    return here.ask_to_change(session_id, to_scene, extra_data)


def _read_extra(value):
    try:
        return arguments.read_extra(value)
    except ValueError as error:
        if isinstance(value, (bytes, str)):
            raise
        raise TypeError(f"{error}; json.dumps() makes a str of most things") from None


def join_channel(session_id, channel):
    """Has a session join a channel: text of at most 128 bytes, whatever the script
    likes. It stays in it through changes of scene, until it leaves the channel or
    ends.

    ```python
    ffext.join_channel(session_id, f'guild {guild.id}')
    ```

    Returns whether that is on its way: the session is in this scene, and there
    was room for it.
    """
    return _change_membership(session_id, channel, set.add)


def leave_channel(session_id, channel):
    """Has a session leave a channel. Returns what `join_channel()` does.

    ```python
    ffext.leave_channel(session_id, f'guild {guild.id}')
    ```
    """
    return _change_membership(session_id, channel, set.discard)


def _change_membership(session_id, channel, change):
    here = current()
    channel = arguments.read_channel(channel)
    client = here.find(arguments.read_session(session_id))
    if client is None:
        return False
    change(client.channels, channel)
    return True


def call_service(name, cmd, message, decoder, timeout):
    """Calls a service; what is returned gives its answer, read by `decoder`."""
    here = current()
    name = _read_name(name)
    cmd = arguments.read_service(cmd)
    timeout = arguments.read_timeout(timeout)
    body = b"" if message is None else arguments.write(message)
    return here.nodes.call(name, cmd, body, decoder, timeout)


def bridge_call(group, name, cmd, message, decoder, timeout):
    """Calls a service of another group, of the node of this name or, for None, of the one
    that carries least; what is returned gives its answer, read by `decoder`.
    """
    here = current()
    group = arguments.read_group(group, here.group)
    name = None if name is None else _read_name(name)
    cmd = arguments.read_service(cmd)
    timeout = arguments.read_timeout(timeout)
    body = b"" if message is None else arguments.write(message)
    return here.nodes.call_across(group, name, cmd, body, decoder, timeout)


def caller():
    """Who calls the service that runs: an `ffext.services.Caller`, or None."""
    return served.get()


def is_exist(name):
    """Whether a node of this name is in the group and takes calls. Raises
    `ValueError` for what is no name.
    """
    return current().nodes.is_ready(_read_name(name))


def lookup(name_or_role):
    """Looks a node up; what is returned gives its `ffext.services.NodeInfo`, or None."""
    here = current()
    is_text = isinstance(name_or_role, str)
    if is_text and "@" in name_or_role:
        _read_name(name_or_role)
    elif not is_text or arguments.what_is_wrong_with(f"{name_or_role}@0"):
        raise ValueError(
            "a node's name, such as 'scene@0', or a role, such as 'scene', is looked up, not "
            f"{name_or_role!r}"
        )
    return here.nodes.lookup(name_or_role)


def _read_name(name):
    if not isinstance(name, str) or arguments.what_is_wrong_with(name):
        raise ValueError(f"a node's name is such as 'scene@0', not {name!r}")
    return name


def alloc_id():
    """An id that was never given before; see `ffext.ids`."""
    return current().alloc_id()


def encode(value):
    """What is sent of a value: `bytes` as they are, messages of thrift and protobuf by
    their types, anything else as JSON.
    """
    return arguments.write(value)


def decode_json(text):
    """The value of a JSON text."""
    return json_text.decode(text)


def check_thread():
    """Fails on any other thread than the script's."""
    current()


def install(calls, callbacks, services):
    """These functions are in force from now on, and no others."""
    current().install(calls, callbacks, services)


def log(level, module, text):
    """Writes a line of a script; levels are those of `logging`."""
    if stage is not None:
        stage.log(level, module, text)


def log_level():
    """The lowest level that the log keeps, as `logging` has it."""
    return 1


def failed(kind, label, error):
    """Something of the script has failed that no event called."""
    current().failed(kind, label, "", error)


def failed_elsewhere(kind, name, traceback):
    """Something of the script has failed, on whichever thread."""
    if stage is not None:
        stage.failed_elsewhere(kind, name, traceback)


def give_up(ask):
    """The script has stopped waiting for something."""
    current().asks.give_up(ask)


def entered(kind, label):
    """A function runs from now on that no event has called: a timer's, say."""
    current()


def left():
    """The function has returned."""


def begin(awaitable, kind, label):
    """Takes the first step of something to be awaited. Returns the task in which it
    goes on; None if it has ended.
    """
    return first_step.follow_up(current().loop, awaitable)[0]


def loaded(module, version, script_hash, hash, kept):
    """A load has succeeded. There are two hashes: the script's own and the module's."""
    current().loaded(module, kept)


def load_failed(module, reason, traceback):
    """A load has failed, and nothing has changed."""
    current().load_failed(module, reason, traceback)


def own_files(files, folders):
    """The files that the script is made of, and the folders that it imports from."""
    current()


def open_database(url, pool, timeout):
    """Opens a database, which connects to nothing. Raises `ValueError` for what is no
    URL, repeating nothing of it.
    """
    return current().databases.open(url, pool, timeout)
