"""Calls between nodes: services, and who there is to call.

A service is a number that a node answers to. Scenes offer theirs with
``reg_service()``, and any gRPC program may offer and call such as well: command
200 is its method ``service.200``, whose body is the encoded message
(``proto/README.md``).
"""

import typing

import _ffext

from . import messages
from .asks import finish
from .registry import Call, check_function, label, refuse_bare, registry


class NodeInfo(typing.NamedTuple):
    """What the group's directory says of a node; see ``lookup()``."""

    #: Its name, ``'scene@0'`` say.
    name: str
    #: What it is: ``'scene'``, ``'gate'``, ``'service'``, ``'master'``, ``'slave'`` or
    #: ``'bridge'``.
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


class Caller(typing.NamedTuple):
    """Who calls a service; see ``caller()``::

        if ffext.caller() == ('GroupB', 'scene@0'):
            ...

    It is a tuple of both, too.
    """

    #: The name of the group that the call comes from; None for this scene's own.
    group: str | None
    #: The name of the node there, ``'scene@0'`` say.
    name: str


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
    ``caller()`` says who calls. Other groups may only call what this one's topology
    lists in ``[exports]``: see ``bridge_call()``.

    The function belongs to its module: a load of that takes it away or replaces it,
    and calls that are under way end as they would have. The directory shows which
    commands a scene serves, up to 4,096 of them.

    Raises ``ValueError`` for what is no ``cmd`` and no type.
    """
    refuse_bare("reg_service", "200", cmd)
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
    """Calls a service of another group, wherever there it is served::

        names = await ffext.bridge_call('GroupB', 200, {'guild': 7})

        def told(error, answer):
            if error:
                ffext.LOGERROR('world', f'{error.kind}: {error}')
        ffext.bridge_call('GroupB', 210, {'text': 'hello'}, told)

    ``group`` is the other group's name. Of the nodes there that serve ``cmd``, and that
    this group may call, it goes to the one that carries least. The rest is as with
    ``call_service()``: the message, the answer, the callback, the time, which is that of
    the whole way. Calls of one group arrive there in the order in which they are made,
    as long as the same bridge carries them.

    A bridge has to join both groups, and the other group's topology has to let this one
    call it: without an entry in its ``[exports]`` nothing can be called.

    ```toml
    [exports.world-chat]
    groups = ["GroupA"]
    services = ["scene@0", "scene@1"]
    cmds = [200, "210-219"]
    ```

    Between groups the ``kind`` of an error says:

    ==================== ======================================================
    ``not_found``         no bridge of this group joins a group of that name; or
                          nobody who is ready there serves the command, or has the
                          name. It was not done
    ``forbidden``         the other group does not let this one call it, whether it
                          is there or not; or the call has crossed 8 bridges, as in
                          a circle of groups that call each other. It was not done
    ``unavailable``       the group cannot be reached at the moment; or the bridge
                          or the node that had the call has gone, or is stopping,
                          and may or may not have done it; or this scene is not in
                          its group; or two groups claim the name
    ``unimplemented``     the node that was named does not serve the command
    ``handler``           the function there has failed, or cannot read the message;
                          or its answer cannot be read as ``type``
    ``deadline_exceeded`` there was no answer in time; it may be done still
    ``overloaded``        too much waits already, here, at the bridge or there, as
                          with ``call_service()``. It was not done
    ``too_large``         the message or the answer is larger than 1,044,480 bytes
    ==================== ======================================================

    Raises ``ValueError`` or ``TypeError`` at once for what ``call_service()`` does so,
    for what is no group's name, and for the name of this scene's own group.
    """
    decoder = messages.decoder(type)
    return finish(_ffext.bridge_call(group, None, cmd, message, decoder, timeout), callback)


def bridge_call_service(
    group, name, cmd, message=None, callback=None, type="json", timeout=None
):
    """Calls a service of a node of another group, ``'scene@1'`` there say. The rest is
    as with ``bridge_call()``::

        state = await ffext.bridge_call_service('GroupB', 'scene@1', 220, {'player': 7})
    """
    if name is None:
        raise ValueError("a node's name is such as 'scene@0', not None")
    decoder = messages.decoder(type)
    return finish(_ffext.bridge_call(group, name, cmd, message, decoder, timeout), callback)


def caller():
    """Who has called the service that runs, as a ``Caller``::

        @ffext.reg_service(210)
        def said(message):
            who = ffext.caller()
            place = 'here' if who.group is None else who.group
            ffext.broadcast_msg_session(1, {'from': place, 'text': message['text']})

    It is what the group and its bridges say, and not the caller: a message may claim to
    be anybody's, this may not. Another group is believed as far as the names of its own
    nodes.

    The function finds it after it has waited, too, and so do the tasks and the timers
    that it begins. Everywhere else, in what handles frames say, it is None.
    """
    return _ffext.caller()


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
