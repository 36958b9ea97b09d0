"""A run of a module's source that may yet fail, and that is undone if it does."""

import asyncio
import gc
import sys

from . import singletons
from .registry import registry


class Trial:
    """The run of a source, which may yet fail."""

    def __init__(self, name, is_own):
        self._name = name
        self._is_own = is_own
        self._modules = set(sys.modules)
        self._singletons = singletons.remember()
        self._tasks = _all_tasks()
        registry.stage(name)

    def run(self, code, fresh, collect):
        """Runs ``code``; returns the objects that it made, if they are wanted."""
        fresh.__spec__._initializing = True
        if collect:
            # What exists is set aside, so that what is made can be listed.
            gc.freeze()
        try:
            exec(code, vars(fresh))
            return gc.get_objects() if collect else None
        finally:
            if collect:
                gc.unfreeze()
            fresh.__spec__._initializing = False

    def commit(self):
        """It has succeeded: what was staged is in force."""
        registrations = registry.staged(self._name)
        registrations.tasks.update(_all_tasks() - self._tasks)
        registry.commit()

    def undo(self):
        """It has failed: everything is as it was."""
        registry.rollback()
        singletons.restore(self._singletons)
        for task in _all_tasks() - self._tasks:
            task.cancel()
        for name in set(sys.modules) - self._modules:
            path = getattr(sys.modules[name], "__file__", None)
            if path and self._is_own(path):
                _forget(name)


def _forget(name):
    """Takes a module out, so that it is imported anew the next time."""
    del sys.modules[name]
    package, _, child = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(child, None)


def _all_tasks():
    return asyncio.all_tasks(asyncio.get_running_loop())
