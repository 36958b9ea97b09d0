"""What the script waits for while others do it."""

import asyncio
import inspect
import os
import sys

import _ffext

from .errors import NO_ERROR, as_text
from .registry import label
from .timers import spawn


class Answer(asyncio.Future):
    """What will have been answered. Whoever does the work is told when nobody
    waits for it any longer."""

    def __init__(self, ask):
        super().__init__()
        self._ask = ask
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith("<ffext"):
            frame = frame.f_back
        # Who has asked, for the log: nobody may ever await it.
        self._asked = frame and (frame.f_code, frame.f_lineno)

    @property
    def origin(self):
        """Where it was asked for: ``main.buy (main.py, line 12)``."""
        if not self._asked:
            return "Answer"
        code, line = self._asked
        return f"{code.co_qualname} ({os.path.basename(code.co_filename)}, line {line})"

    def cancel(self, msg=None):
        if not self.done():
            _ffext.give_up(self._ask)
        return super().cancel(msg)


def finish(future, callback):
    """The future itself, to be awaited; or, with a callback, nothing: that is
    called with the error, which is empty if there is none, and the answer."""
    if callback is None:
        return future
    if not callable(callback):
        future.cancel()
        raise TypeError(f"a callback is a function, not {callback!r}")
    future.add_done_callback(lambda done: tell(callback, *outcome(done)))
    return None


def outcome(done):
    """The error as callbacks get it, and the answer."""
    if done.cancelled():
        return as_text(asyncio.CancelledError("cancelled")), None
    error = done.exception()
    return (NO_ERROR, done.result()) if error is None else (as_text(error), None)


def tell(callback, *arguments):
    """Calls a function of the script that nobody waits for."""
    name = label(callback)
    _ffext.entered("callback", name)
    try:
        result = callback(*arguments)
        if inspect.isawaitable(result):
            spawn(result, "callback", name)
    except BaseException as error:
        _ffext.failed("callback", name, error)
    finally:
        _ffext.left()
