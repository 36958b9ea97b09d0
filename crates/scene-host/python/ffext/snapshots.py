"""What a scene hands its successor when it is restarted on purpose."""

import asyncio
import inspect
import json

import _ffext

from .registry import label, registry


def snapshot(function=None, *, version=None):
    """Registers who says what the next process of this scene is to begin with::

        @ffext.snapshot(version=2)
        def save():
            return {'rooms': [room.save() for room in world().rooms]}

        @ffext.restore
        def load(value, version):
            for saved in value['rooms']:
                world().rooms.append(Room.load(saved))

    ``f()``, plain or ``async``, is called when the scene ends because it was told
    to: by SIGTERM, ``systemctl restart`` or ``redrabbit drain``. By then all sessions
    have left, and the handlers are done. It returns ``bytes``, or what JSON can say:
    dict, list, tuple, str, int, float, bool and None. (JSON gives tuples back as
    lists, and has only texts for keys: ``{1: 'a'}`` comes back as ``{'1': 'a'}``.)
    That is written to the file ``snapshot`` in the scene's folder of
    ``scenes."scene@0".state_dir``, all of it or nothing.

    It has to be done within the grace period (``limits.drain_grace``), of which it
    has a fifth at least. If it raises, takes too long, or returns what cannot be
    written, that is logged and the scene ends without a snapshot. A scene that
    crashes or is killed leaves none.

    ``version`` is a number of the script's own; ``restore`` is told it.
    """
    if function is None:
        return lambda function: snapshot(function, version=version)
    if not callable(function):
        raise TypeError(f"a function is registered, not {function!r}")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise TypeError(f"snapshot() takes a whole number for its version, not {version!r}")
    registry.register(lambda owner: owner.keepers.update(snapshot=(function, version)))
    return function


def restore(function):
    """Registers who is given what the process before has left: ``f(value)``, or
    ``f(value, version)`` if it takes two arguments, plain or ``async``.

    It is called once, when the script has loaded for the first time and before any
    session enters or client is verified; never after a reload. ``version`` is what
    ``@ffext.snapshot(version=…)`` said, or None.

    When it has returned, the file is called ``snapshot.restored``, and is not used
    again. If it raises, or takes longer than ``limits.handler_timeout``, or the file
    is damaged or of a newer program, the scene begins without it: the log has an
    error that names the file, which is called ``snapshot.failed`` from then on.
    """
    if not callable(function):
        raise TypeError(f"a function is registered, not {function!r}")
    registry.register(lambda owner: owner.keepers.update(restore=(function, None)))
    return function


def restorer():
    """Who takes a snapshot: a function of its kind, its bytes and its version, and
    what it is called in the log. None if nobody does."""
    function, _ = registry.keeper("restore")
    if function is None:
        return None

    def call(kind, value, version):
        value = json.loads(value) if kind == "json" else value
        return function(value, version) if _takes_two(function) else function(value)

    return call, label(function)


def take(loop, limit):
    """What the next process begins with: its kind, its bytes and its version. None
    if the script has nothing to say; it has ``limit`` seconds for it."""
    function, version = registry.keeper("snapshot")
    if function is None:
        return None
    name = label(function)
    _ffext.entered("snapshot", name)
    try:
        value = function()
    finally:
        _ffext.left()
    if inspect.isawaitable(value):
        value = loop.run_until_complete(_within(value, limit, name))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes", bytes(value), version
    try:
        return "json", json.dumps(value, separators=(",", ":")).encode(), version
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} has returned what is neither bytes nor JSON: {error}") from None


async def _within(value, limit, name):
    try:
        return await asyncio.wait_for(value, limit)
    except TimeoutError:
        raise TimeoutError(f"{name} has taken longer than {limit:.1f} s") from None


def _takes_two(function):
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        # It does not say what it takes.
        pass
    return True
