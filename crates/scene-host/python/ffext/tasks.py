"""The tasks of a scene's event loop: how many there are, and those that fail
where nobody looks."""

import asyncio
import collections
import gc
import os
import sys
import threading
import traceback

import _ffext

from .log import printable
from .registry import label

# So many at once are told of; then twice as many, and so on.
MANY = 10_000

_many = MANY


def install(loop):
    """Reports what fails where nobody looks as the errors of handlers are."""
    loop.set_exception_handler(_failed)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _unraisable


def chores(quiet):
    """What is done once a second; ``quiet`` says that nothing has happened in the
    last one. Returns how many tasks there are."""
    if quiet and gc.get_count()[2] > 0:
        # Now it holds nobody up.
        gc.collect()
    return count()


def count():
    """How many tasks there are. Tells of it when they get many: a script that
    makes tasks that never end fills the memory in the end."""
    global _many
    try:
        # Some of them may have ended.
        number = len(asyncio.tasks._all_tasks)
    except AttributeError:
        number = len(asyncio.all_tasks())
    if number >= _many:
        tasks = asyncio.all_tasks()
        number = len(tasks)
        if number >= _many:
            _many = number * 2
            most = collections.Counter(map(describe, tasks)).most_common(3)
            _ffext.log(
                30,
                "ffext",
                f"{number} tasks have not ended; most are "
                + ", ".join(f"{times} of {origin}" for origin, times in most),
            )
    elif number < _many // 4:
        _many = max(MANY, _many // 2)
    return number


def describe(task):
    """Which coroutine a task runs, and where that is written: ``main.tick (main.py,
    line 12)``. Not its name: each has another, and errors of one place are one."""
    try:
        coroutine = task.get_coro()
        name = label(coroutine)
        code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
        if code is None:
            return name
        path = os.path.basename(code.co_filename)
        return printable(f"{code.co_qualname} ({path}, line {code.co_firstlineno})")
    except Exception:
        return type(task).__name__


def _failed(loop, context):
    """The event loop's handler of errors."""
    message = printable(context.get("message") or "the event loop has met an error")
    error = context.get("exception")
    kind, name = _whose(context)
    if error is None:
        # A task that is gone before it has ended, say.
        _ffext.log(40, "asyncio", f"{message}: {name}")
        return
    _ffext.failed(kind, f"{name}{_made(context)}", error)


def _whose(context):
    task = context.get("task")
    future = context.get("future")
    if task is None and isinstance(future, asyncio.Task):
        task = future
    if task is not None:
        return "task", describe(task)
    if future is not None:
        return "future", getattr(future, "origin", None) or type(future).__name__
    handle = context.get("handle")
    if handle is not None:
        return "callback", label(getattr(handle, "_callback", None))
    for key in ("protocol", "transport", "asyncgen", "server", "socket"):
        if key in context:
            return "loop", label(type(context[key]))
    return "loop", "event loop"


def _made(context):
    """Where it was made: known if the event loop is in debug mode."""
    stack = context.get("source_traceback")
    if not stack:
        return ""
    within = os.path.dirname(asyncio.__file__)
    places = [one for one in stack if not one.filename.startswith(within)]
    place = places[-1] if places else stack[-1]
    return printable(f", made in {os.path.basename(place.filename)}, line {place.lineno}")


def _thread_failed(failure):
    if failure.exc_type is SystemExit:
        return
    name = failure.thread.name if failure.thread is not None else "a thread"
    _ffext.failed_elsewhere("thread", printable(name), _text(failure))


def _unraisable(failure):
    where = failure.object
    name = label(where) if callable(where) else printable(type(where).__qualname__)
    _ffext.failed_elsewhere("unraisable", name, _text(failure))


def _text(failure):
    try:
        lines = traceback.format_exception(
            failure.exc_type, failure.exc_value, failure.exc_traceback
        )
        return printable("".join(lines))
    except Exception:
        return failure.exc_type.__name__
