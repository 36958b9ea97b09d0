"""The first step of a coroutine, taken at once as the host takes it."""

import asyncio
import contextvars
import inspect
import sys


class Begun:
    """A coroutine whose first step has been taken: to its task, that coroutine."""

    def __init__(self):
        self._coroutine = None
        self._first = None

    def hand_over(self, coroutine, first):
        self._coroutine, self._first = coroutine, first

    def send(self, value):
        if self._first is not None:
            first, self._first = self._first, None
            return first()
        return self._coroutine.send(value)

    def throw(self, *error):
        self._first = None
        return self._coroutine.throw(*error)

    def close(self):
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def __getattr__(self, name):
        # cr_frame, cr_code and their like, which tasks and their logs ask for.
        return getattr(self._coroutine, name)


def follow_up(loop, result):
    """What has become of what a function returned: (task, None) if it goes on in a
    task, (None, value) if it is done. Raises what it has raised."""
    if inspect.iscoroutine(result):
        task = begin(loop, result)
    elif hasattr(type(result), "__await__"):
        return asyncio.ensure_future(result, loop=loop), None
    else:
        return None, result
    return (None, task.result()) if task.done() else (task, None)


def begin(loop, coroutine):
    """A task that runs a coroutine, and that has taken its first step."""
    context = contextvars.copy_context()
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)
    from ffext import steps

    begun = Begun()
    prepared = steps.prepare(begun, context)
    if prepared is None:
        return loop.create_task(coroutine, context=context)
    task, step = prepared
    first = _first_step(loop, steps.current_tasks, task, coroutine, context)
    begun.hand_over(coroutine, first)
    task._log_destroy_pending = True
    steps.register(task)
    _as_current(loop, steps.current_tasks, None, context, step)
    return task


def _first_step(loop, table, task, coroutine, context):
    try:
        waits_for = _as_current(loop, table, task, context, lambda: coroutine.send(None))
    except BaseException as error:
        return lambda error=error: _raise(error)
    return lambda: waits_for


def _raise(error):
    raise error


def _as_current(loop, table, task, context, step):
    outer = table.pop(loop, None)
    if task is not None:
        table[loop] = task
    try:
        return context.run(step)
    finally:
        table.pop(loop, None)
        if outer is not None:
            table[loop] = outer
