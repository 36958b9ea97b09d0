"""Tasks whose first step somebody else takes."""

import asyncio
import collections.abc

import _ffext

try:
    from _asyncio import _current_tasks as current_tasks
    from _asyncio import _register_task as register
    from _asyncio import _unregister_task as unregister
except ImportError:
    # Then coroutines become tasks as everywhere.
    current_tasks = None
    register = unregister = id

collections.abc.Coroutine.register(_ffext.Begun)


def prepare(begun, context):
    """A task that will run ``begun`` in ``context``, and what takes its first step:
    that is nowhere in the event loop. None if tasks are not asyncio's own here."""
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is not None:
        return None
    kept = []

    wanted, call_later = context, loop.call_soon

    def call_soon(callback, *arguments, context=None):
        if context is wanted and not kept:
            kept.append(callback)
            return None
        # A finalizer's, which the making of the task has caused to run.
        return call_later(callback, *arguments, context=context)

    # A task asks its loop for its first step when it is made.
    loop.call_soon = call_soon
    try:
        task = asyncio.Task(begun, loop=loop, context=context)
    finally:
        del loop.call_soon
    # It may end without ever having done anything.
    task._log_destroy_pending = False
    (step,) = kept
    return task, step
