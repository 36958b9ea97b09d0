"""Events within a scene: who says that something has happened need not know who
wants to hear of it."""

import contextvars
import inspect
import itertools

import _ffext

from .registry import check_function, label, refuse_bare, registry
from .timers import spawn

_numbers = itertools.count()
_depth = 0


class Listener:
    """A function that hears of an event."""

    __slots__ = ("event", "function", "number", "retired")

    def __init__(self, event, function):
        self.event = event
        self.function = function
        self.number = next(_numbers)
        self.retired = False


def bind_event(event):
    """Registers a function for an event, which is whatever ``post()`` is called
    with: text, mostly, or anything else that can be a key of a ``dict``::

        @ffext.bind_event('level_up')
        def congratulate(session_id, level):
            ffext.send_msg_session(session_id, 9, {'level': level})

    The function may be async. It belongs to its module: a load of that takes it away
    or replaces it. One that is bound later, by a handler say, stays, and so does the
    object whose method it is.

    Raises ``TypeError`` for an event that cannot be a key, and ``ValueError`` for a
    function: it stands below ``@ffext.bind_event('level_up')``, not in its place.
    """
    refuse_bare("bind_event", "'level_up'", event)
    hash(event)

    def decorate(function):
        check_function(function)
        listener = Listener(event, function)
        registry.register(lambda owner: owner.listeners.append(listener))
        return function

    return decorate


def post(event, *args, **kwargs):
    """Calls the functions that are bound to an event, with these arguments::

        ffext.post('level_up', session_id, 7)

    They are called at once, in the order in which they were bound, and have returned
    when this does; ``async`` ones have begun, and go on by themselves. One that fails
    is logged, and the others are called all the same. What they set in a context
    variable is not seen here. Returns how many there were.

    They may post, too, and that happens at once as well: events that post each
    other without end fail as Python's recursions do, all of them together.
    """
    global _depth
    _ffext.check_thread()
    called = 0
    for listener in _listeners().get(event, ()):
        if listener.retired:
            # One before it has had the script loaded again.
            continue
        called += 1
        name = label(listener.function)
        _ffext.entered("bus", name)
        _depth += 1
        try:
            contextvars.copy_context().run(_tell, listener.function, name, args, kwargs)
        except BaseException as error:
            # Were it contained where it is met, each of those that are under way
            # would go on with its next function, and begin all over again.
            if _depth > 1 and isinstance(error, RecursionError):
                raise
            _ffext.failed("bus", name, error)
        finally:
            _depth -= 1
            _ffext.left()
    return called


def _tell(function, name, args, kwargs):
    result = function(*args, **kwargs)
    if inspect.isawaitable(result):
        spawn(result, "bus", name)


def _listeners():
    """Who hears of each event."""
    if registry.heard is None:
        heard = {}
        for listener in registry.listeners():
            heard.setdefault(listener.event, []).append(listener)
        registry.heard = {event: tuple(listeners) for event, listeners in heard.items()}
    return registry.heard
