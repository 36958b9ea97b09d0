"""Calls that are due later, and coroutines that nobody awaits."""

import asyncio
import inspect

import _ffext

from . import registry

# asyncio itself holds tasks weakly.
_tasks = set()


class Timer:
    """A call that is due later. ``cancel()`` takes it back."""

    __slots__ = ("_delay", "_function", "_handle", "_owner", "__weakref__")

    def __init__(self, delay, function, owner):
        self._delay = delay
        self._function = function
        self._owner = owner
        self._handle = None

    def cancel(self):
        """The call will not be made. Too late is no error."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._function = None
        if self._owner is not None:
            self._owner.timers.discard(self)

    @property
    def active(self):
        """Whether the call is still to come."""
        return self._function is not None

    def disown(self):
        """Nobody's load ends it from now on."""
        if self._owner is not None:
            self._owner.timers.discard(self)
            self._owner = None

    def replace(self, current):
        """Calls what stands for its function from now on."""
        if self._function is not None:
            self._function = current(self._function)

    def start(self):
        """The delay counts from now on."""
        if self._function is not None and self._handle is None:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(self._delay, self._fire)

    def _fire(self):
        function, owner = self._function, self._owner
        self._handle = None
        self.cancel()
        if function is None:
            return
        # Timers that this call makes belong to whom this one belonged to. The
        # call has a context of its own, so that nobody else hears of it.
        registry.lineage.set(owner)
        label = registry.label(function)
        _ffext.entered("timer", label)
        try:
            result = function()
            if inspect.isawaitable(result):
                spawn(result, "timer", label, owner)
        except BaseException as error:
            _ffext.failed("timer", label, error)
        finally:
            _ffext.left()


def once_timer(ms, function):
    """Calls ``function`` once, ``ms`` milliseconds from now; it may be async.

    The call can be taken back with ``.cancel()``. A timer that is made while
    the script is being loaded, and those that its calls make in turn, end when
    that script is loaded again; others stay.
    """
    if not callable(function):
        raise TypeError(f"once_timer() takes a function, not {function!r}")
    delay = float(ms) / 1000
    if not delay >= 0:
        raise ValueError(f"once_timer() takes milliseconds from 0 on, not {ms!r}")
    _ffext.check_thread()
    owner, staged = registry.owner()
    timer = Timer(delay, function, owner)
    if owner is not None and owner.retired:
        # The load that this chain of timers came from has been replaced.
        timer.cancel()
        return timer
    if owner is not None:
        owner.timers.add(timer)
    if not staged:
        timer.start()
    return timer


def spawn(awaitable, kind, label, owner=None):
    """Runs ``awaitable`` as a task that nobody awaits; its failure is logged."""
    task = asyncio.ensure_future(awaitable)
    _tasks.add(task)
    if owner is not None:
        owner.tasks.add(task)

    def ended(task):
        _tasks.discard(task)
        if owner is not None:
            owner.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _ffext.failed(kind, label, error)

    task.add_done_callback(ended)
    return task
