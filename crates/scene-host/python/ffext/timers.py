"""Calls that are due later, and coroutines that nobody awaits."""

import asyncio
import contextvars
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


class Interval(Timer):
    """A call that is due again and again. ``cancel()`` ends that."""

    __slots__ = ("_begin", "_turn", "_context", "_running", "_skipped")

    def __init__(self, period, function, owner):
        super().__init__(period, function, owner)
        self._begin = None
        self._turn = 0
        # What a call sets there is not seen by the next one.
        self._context = contextvars.copy_context()
        self._running = None
        self._skipped = 0

    @property
    def skipped(self):
        """How many calls were not made, since one before took too long, or the
        event loop was held up."""
        return self._skipped

    def start(self):
        """The first period begins now."""
        if self._function is not None and self._begin is None:
            self._begin = asyncio.get_running_loop().time()
            self._wait()

    def _wait(self):
        # From the beginning on, and not from the last call: nothing adds up.
        due = self._begin + (self._turn + 1) * self._delay
        loop = asyncio.get_running_loop()
        self._handle = loop.call_at(due, self._fire, context=self._context.copy())

    def _fire(self):
        self._handle = None
        function, owner = self._function, self._owner
        if function is None:
            return
        passed = asyncio.get_running_loop().time() - self._begin
        # The loop's clock is coarse: a call may come a little before its time.
        turn = max(int(passed / self._delay), self._turn + 1)
        self._skipped += turn - self._turn - 1
        self._turn = turn
        self._wait()
        if self._running is not None and not self._running.done():
            self._skipped += 1
            return
        registry.lineage.set(owner)
        label = registry.label(function)
        _ffext.entered("timer", label)
        try:
            result = function()
            if inspect.isawaitable(result):
                self._running = spawn(result, "timer", label, owner)
        except BaseException as error:
            _ffext.failed("timer", label, error)
        finally:
            _ffext.left()


def interval(ms, function):
    """Calls ``function`` every ``ms`` milliseconds, for the first time after the first
    of them; it may be async::

        tick = ffext.interval(50, world.step)
        ...
        tick.cancel()

    It does not drift: the n-th call is due ``n * ms`` after the start, however long
    those before it took. A call whose time has passed when the next one is due is left
    out, and so is one that is due while an ``async`` call still runs: calls never
    pile up, and ``.skipped`` counts those that were left out. A call that fails is
    logged, and the next one is made all the same.

    ``.cancel()`` ends it; a call that is under way goes on. One that is made while
    the script is being loaded ends when that script is loaded again, and so do those
    that its calls make, and the call that is under way; others stay, as with
    ``once_timer()``.

    ``ms`` is at least 1. Raises ``ValueError`` and ``TypeError`` for what is no time
    and no function.
    """
    if not callable(function):
        raise TypeError(f"interval() takes a function, not {function!r}")
    period = _seconds("interval", ms)
    if not 0.001 <= period < float("inf"):
        raise ValueError(f"interval() takes milliseconds from 1 on, not {ms!r}")
    return _make(Interval, period, function)


def once_timer(ms, function):
    """Calls ``function`` once, ``ms`` milliseconds from now; it may be async::

        timer = ffext.once_timer(3_000, lambda: open_door(room))
        ...
        timer.cancel()

    The call can be taken back with ``.cancel()``. A timer that is made while
    the script is being loaded, and those that its calls make in turn, end when
    that script is loaded again; others stay.

    Raises ``ValueError`` and ``TypeError`` for what is no time and no function.
    """
    if not callable(function):
        raise TypeError(f"once_timer() takes a function, not {function!r}")
    delay = _seconds("once_timer", ms)
    if not delay >= 0:
        raise ValueError(f"once_timer() takes milliseconds from 0 on, not {ms!r}")
    return _make(Timer, delay, function)


def _seconds(name, ms):
    """Milliseconds as seconds; ``TypeError`` for what is no number."""
    try:
        # A text of digits is no number: who gives one has read it from somewhere.
        if isinstance(ms, (str, bytes, bytearray)):
            raise TypeError
        return float(ms) / 1000
    except TypeError:
        raise TypeError(f"{name}() takes milliseconds, a number, not {ms!r}") from None
    except OverflowError:
        return float("nan")


def _make(kind, delay, function):
    """Makes a timer, for whoever it belongs to."""
    _ffext.check_thread()
    owner, staged = registry.owner()
    timer = kind(delay, function, owner)
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
    """Begins ``awaitable``, which nobody awaits; its failure is logged. Returns the
    task in which it goes on, or None if its first step was all of it."""
    try:
        task = _ffext.begin(awaitable, kind, label)
    except BaseException as error:
        _ffext.failed(kind, label, error)
        return None
    if task is None:
        return None
    _tasks.add(task)
    if owner is not None:
        owner.tasks.add(task)
        if owner.retired:
            # It has had its own load replaced.
            task.cancel()

    def ended(task):
        _tasks.discard(task)
        if owner is not None:
            owner.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _ffext.failed(kind, label, error)

    task.add_done_callback(ended)
    return task
