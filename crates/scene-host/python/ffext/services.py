"""Calls between the nodes of a group: services, and who there is to call.

A service is a number that a node answers to. Scenes offer theirs with
``reg_service()``, and any gRPC program may offer and call such as well: command
200 is its method ``service.200``, whose body is the encoded message
(``proto/README.md``).
"""

import asyncio
import typing

import _ffext

from . import messages
from .asks import finish
from .errors import CallError
from .registry import Call, check_function, label, registry


class NodeInfo(typing.NamedTuple):
    """What the group's directory says of a node; see ``lookup()``."""

    #: Its name, ``'scene@0'`` say.
    name: str
    #: What it is: ``'scene'``, ``'gate'``, ``'service'``, ``'master'`` or ``'slave'``.
    role: str
    #: Where it stands: ``'joining'``, ``'ready'``, or ``'draining'`` while it ends.
    state: str
    #: What it carries: of gates and scenes, sessions. As last heard: the directory
    #: tells of a load when something else of the node changes.
    load: int
    #: How often its script was loaded; 0 if it has none.
    version: int
    #: The hash of its script's source, as in ``version()``; empty if it has none.
    hash: str


def reg_service(cmd, type=None):
    """Registers a function that answers other nodes::

        @ffext.reg_service(200)
        def members(message):
            return guilds[message['guild']].names

        @ffext.reg_service(201, Transfer)
        async def transfer(message):
            await bank.fetch('UPDATE ...', [message.amount])
            return Receipt(ok=True)

    ``cmd`` is a number from 0 to 65535. ``f(message)`` gets what the caller has sent,
    decoded by ``type``: ``'json'`` (and None, the default), ``bytes``, or a class of
    messages of thrift or protobuf, as with ``session_call()``. A caller that has sent
    nothing has sent None; with ``bytes`` or a class of protobuf, ``b''`` or an empty
    message. What the function returns is the answer: nothing for None, ``bytes`` as
    they are, messages of thrift and protobuf by their types, anything else as JSON.

    A plain function answers when it returns. Of ``async`` ones many may be under way
    at once, each until its caller stops waiting, and no longer than
    ``limits.handler_timeout`` (30 s). One that raises is logged with its traceback;
    its caller gets an error of the kind ``handler`` which says what was raised, and
    not where. The calls of one node are begun in the order in which it makes them.

    The function belongs to its module: a load of that takes it away or replaces it,
    and calls that are under way end as they would have. The directory shows which
    commands a scene serves, up to 4,096 of them.

    Raises ``ValueError`` for what is no ``cmd`` and no type.
    """
    if isinstance(cmd, bool) or not isinstance(cmd, int) or not 0 <= cmd <= 65535:
        raise ValueError(f"reg_service() takes a number from 0 to 65535, not {cmd!r}")
    decoder = messages.decoder("json" if type is None else type)

    def decorate(function):
        check_function(function)

        def change(owner):
            before = owner.services.get(int(cmd))
            if before is not None and before.function is not function:
                _ffext.log(
                    30,
                    "ffext",
                    f"service {cmd} is registered twice: {label(function)} takes "
                    f"the place of {before.label}",
                )
            owner.services[int(cmd)] = Call(function, decoder, True)

        registry.register(change)
        return function

    return decorate


def call_service(name, cmd, message=None, callback=None, type="json", timeout=None):
    """Calls a service of a node, and gives its answer::

        names = await ffext.call_service('scene@1', 200, {'guild': 7})

        def told(error, names):
            if error:
                ffext.LOGERROR('guild', f'{error.kind}: {error}')
        ffext.call_service('scene@1', 200, {'guild': 7}, told)

    ``name`` is a node's, this scene's own among them. ``message`` is sent as
    ``send_msg_session()`` sends it, None as nothing. ``type`` says what the answer is
    decoded as: ``'json'``, ``bytes``, or a class of messages of thrift or protobuf. An
    empty answer is None; with ``bytes`` or a class of protobuf, ``b''`` or an empty
    message. ``timeout`` is in seconds, ``limits.call_timeout`` (5 s) by default.

    Without a callback it returns what can be awaited; the call is made in any case,
    and whoever stops waiting gives it up. A callback is called once, as
    ``callback(error, answer)``; ``error`` is text that is empty if all went well, and
    that has a ``kind``. Calls of one node arrive in the order in which they are made.

    A call that does not end well raises ``CallError`` where it is awaited; its
    ``kind`` says what went wrong:

    ==================== ======================================================
    ``not_found``         no node of that name is ready
    ``unimplemented``     it does not serve that command
    ``handler``           the function has failed, or cannot read the message; or
                          its answer cannot be read as ``type``
    ``unavailable``       the node has gone, or is stopping, and may or may not
                          have done it; or this scene is not in its group
    ``deadline_exceeded`` there was no answer in time; it may be done still
    ``overloaded``        too much waits already: 65,536 calls of this scene (with
                          all else that it has asked for), or there is no room on
                          the way or at the other node. It was not done
    ``too_large``         the message or the answer is larger than 1,044,480 bytes
    ==================== ======================================================

    Raises ``ValueError`` or ``TypeError`` at once for a name, a ``cmd``, a ``type``, a
    time-out or a message that is none.
    """
    decoder = messages.decoder(type)
    return finish(_ffext.call_service(name, cmd, message, decoder, timeout), callback)


def bridge_call(group, cmd, message=None, callback=None, type="json", timeout=None):
    """Calls a service of another group, wherever there it is served. The rest is as
    with ``call_service()``.

    As long as no bridge joins the groups, such a call ends with the kind
    ``not_found``. ``forbidden`` is what the other group does not let be called.
    """
    _check_call(cmd, message, type, timeout)
    return _unreachable(group, callback)


def bridge_call_service(
    group, name, cmd, message=None, callback=None, type="json", timeout=None
):
    """Calls a service of a node of another group. The rest is as with
    ``call_service()``.

    As long as no bridge joins the groups, such a call ends with the kind
    ``not_found``. ``forbidden`` is what the other group does not let be called.
    """
    _ffext.is_exist(name)
    _check_call(cmd, message, type, timeout)
    return _unreachable(group, callback)


def is_exist(name):
    """Whether a node of this name is in the group and takes calls: at once, and as
    this scene has heard last. It may be gone when it is called.

    Raises ``ValueError`` for what is no name; ``'scene@0'`` is one.
    """
    return _ffext.is_exist(name)


def lookup(name_or_role, callback=None):
    """Looks a node up, and gives its ``NodeInfo``, or None if there is none::

        scene = await ffext.lookup('scene')
        await ffext.call_service(scene.name, 200)

    With a name, ``'scene@1'`` say, it is that node, in whichever state. With what
    comes before the ``@``, it is the ready one that carries least, this scene among
    them. For ``'scene'`` and ``'gate'`` the master says which, and counts one more
    there at once, so that many who ask in a row do not all get the same answer; for
    others, ``'db'`` say, it is as this scene has heard last.

    Without a callback it returns what can be awaited; a callback is called as
    ``callback(error, info)``. Fails with the kind ``overloaded`` as
    ``call_service()`` does. Raises ``ValueError`` at once for what is neither a name
    nor a role.
    """
    return finish(_ffext.lookup(name_or_role), callback)


def _check_call(cmd, message, type, timeout):
    """What is wrong with a call is said before it is known where it goes."""
    if isinstance(cmd, bool) or not isinstance(cmd, int) or not 0 <= cmd <= 65535:
        raise ValueError(f"a service's cmd is a number from 0 to 65535, not {cmd!r}")
    if timeout is not None and not float(timeout) > 0:
        raise ValueError(f"a timeout is seconds, more than 0, not {timeout!r}")
    messages.decoder(type)
    if message is not None:
        messages.encode(message)


def _unreachable(group, callback):
    if not isinstance(group, str) or not group:
        raise ValueError(f"a group's name is a str such as 'GroupB', not {group!r}")
    _ffext.check_thread()
    future = asyncio.get_running_loop().create_future()
    future.set_exception(CallError("not_found", f"no bridge of this group reaches {group}"))
    return finish(future, callback)
