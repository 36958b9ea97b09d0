"""A run of a module's source that may yet fail, and that is undone if it does."""

import gc
import sys
import types

from . import singletons
from .registry import all_tasks, registry


class Trial:
    """The run of a source, which may yet fail."""

    def __init__(self, name, is_own):
        self._name = name
        self._is_own = is_own
        self._modules = dict(sys.modules)
        self._singletons = singletons.remember()
        self._tasks = all_tasks()
        registry.stage(name)

    def run(self, code, fresh):
        """Runs ``code`` in ``fresh``, which is the module of its name meanwhile:
        what it imports, and what looks its classes' names up, has to find the new
        ones. Returns the objects that it made, if the module was loaded before.
        """
        module = self._modules.get(self._name)
        fresh.__spec__._initializing = True
        _bind(self._name, fresh)
        if module is not None:
            # What exists is set aside, so that what is made can be listed.
            gc.freeze()
        try:
            exec(code, vars(fresh))
            return gc.get_objects() if module is not None else None
        finally:
            if module is not None:
                gc.unfreeze()
                _bind(self._name, module)
            fresh.__spec__._initializing = False

    def commit(self):
        """It has succeeded: what was staged is in force."""
        registry.commit(self._name, all_tasks() - self._tasks)

    def undo(self):
        """It has failed: everything is as it was."""
        registry.rollback()
        singletons.restore(self._singletons)
        for task in all_tasks() - self._tasks:
            task.cancel()
        for name, module in list(sys.modules.items()):
            if name not in self._modules and (name == self._name or self._owns(module)):
                _forget(name)
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module and self._owns(module):
                _bind(name, module)

    def _owns(self, module):
        if not issubclass(type(module), types.ModuleType):
            return False
        # Past the module itself: one that is imported lazily is not to be now.
        path = object.__getattribute__(module, "__dict__").get("__file__")
        return isinstance(path, str) and self._is_own(path)


def _bind(name, module):
    """Makes a module the one of its name, in its package too."""
    before = sys.modules.get(name)
    sys.modules[name] = module
    package, _, child = name.rpartition(".")
    names = getattr(sys.modules.get(package), "__dict__", {})
    if before is not None and names.get(child) is before:
        names[child] = module


def _forget(name):
    """Takes a module out, so that it is imported anew the next time."""
    del sys.modules[name]
    package, _, child = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(child, None)
