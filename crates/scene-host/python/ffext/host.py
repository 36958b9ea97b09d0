"""What the host calls: the event loop, from its start to its end.

Whatever a script does to the loop, to its tasks and threads is contained; but for
``os._exit()``, a crash in C code, and recursion without end where
``sys.setrecursionlimit()`` allows more than the thread's stack of 16 MiB holds:
these end the process."""

import asyncio
import faulthandler
import logging
import sys
import threading
import time
import warnings

import _ffext

from . import log, snapshots, tasks
from .loading import loader
from .tasks import describe

_log = logging.getLogger("ffext")
_loop = None
_stopping = False


def prepare(script, folders, stack_fd, stack_signal):
    """Sets the interpreter up for a script, and makes its event loop."""
    global _loop
    log.install()
    sys.argv = [script]
    sys.path[:0] = folders
    loader.configure(script, folders)
    # If C code crashes, standard error says which script called it.
    faulthandler.enable(file=2)
    # Whoever sends this signal reads from the descriptor where the thread is.
    faulthandler.register(stack_signal, file=stack_fd, all_threads=False)
    _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    tasks.install(_loop)
    return _loop


def run(fd, wake):
    """Runs the event loop until :func:`stop`; ``wake`` is called while ``fd``
    is readable."""
    _loop.add_reader(fd, wake)
    while not _stopping:
        try:
            _loop.run_forever()
            if not _stopping:
                _ended("the script has stopped the event loop; it runs on")
        except (SystemExit, KeyboardInterrupt) as error:
            # They end the loop even where the task that raised them is awaited.
            _ended(f"{error!r} has ended the event loop; it runs on")
        except BaseException as error:
            _ffext.failed("loop", "event loop", error)


def _ended(how):
    # A script may do so in every turn of the loop.
    _ffext.failed_elsewhere("loop", "event loop", how)


def stop():
    """Ends the event loop."""
    global _stopping
    _stopping = True
    _loop.stop()


def snapshot(limit):
    """What the script hands its successor: see :func:`ffext.snapshots.take`."""
    return snapshots.take(_loop, limit)


def check(source, name):
    """What is wrong with a source: (line, column, message), or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno or 1, error.offset or 1, error.msg
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return 1, 1, str(error) or type(error).__name__
    return None


def shutdown(limit):
    """Ends what the script has running, within ``limit`` seconds. Returns
    whether nothing of it is left, so that the interpreter can be finalized."""
    deadline = time.monotonic() + limit
    try:
        _loop.run_until_complete(_end_tasks(limit))
        _loop.run_until_complete(_end_generators(max(deadline - time.monotonic(), 0.1)))
    except BaseException as error:
        _ffext.failed("loop", "event loop", error)
    executor = getattr(_loop, "_default_executor", None)
    if executor is not None:
        executor.shutdown(wait=False, cancel_futures=True)
    left = _join_threads(deadline)
    for name in left:
        _log.warning("thread %s does not end", name)
    if not left:
        _loop.close()
    return not left


async def _end_tasks(limit):
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    ended, stubborn = await asyncio.wait(tasks, timeout=limit)
    for task in stubborn:
        _log.warning("%r does not end", task)
    for task in ended:
        if not task.cancelled() and (error := task.exception()) is not None:
            _ffext.failed("task", describe(task), error)


async def _end_generators(limit):
    try:
        await asyncio.wait_for(_loop.shutdown_asyncgens(), limit)
    except TimeoutError:
        _log.warning("an asynchronous generator does not end")


def _join_threads(deadline):
    """Waits for threads that Python would wait for itself, and without limit."""
    left = []
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.daemon:
            continue
        thread.join(max(deadline - time.monotonic(), 0))
        if thread.is_alive():
            left.append(thread.name)
    return left
