"""A run of a module's source that may yet fail, and that is undone if it does."""

import gc
import sys
import types

from . import singletons
from .classes import Definitions
from .registry import all_tasks, registry


class Run:
    """A module's part in a trial."""

    def __init__(self, name, source, fresh, module):
        self.name = name
        self.source = source
        #: The empty module that the source is run in.
        self.fresh = fresh
        #: The module that there is; None if this is its first load.
        self.module = module
        #: What the source defines; known when it has been run.
        self.defined = None
        #: The tasks that it has started.
        self.tasks = set()


class Trial:
    """The runs of one or several sources, which may yet fail."""

    def __init__(self, runs, is_own):
        self._runs = runs
        self._is_own = is_own
        self._modules = dict(sys.modules)
        self._singletons = singletons.remember()
        self._tasks = all_tasks()
        registry.stage([run.name for run in runs])

    def run(self):
        """Runs the sources, one after the other. Each is the module of its name
        until all have run: what it imports, what looks its classes' names up, and
        those that come later have to find the new ones. Returns the objects that
        they have made, if the modules were loaded before.
        """
        codes = [run.source.compile() for run in self._runs]
        is_again = self._runs[0].module is not None
        if is_again:
            # What exists is set aside, so that what is made can be listed.
            gc.freeze()
        bound = []
        try:
            for run, code in zip(self._runs, codes):
                bound.append(run)
                self._run(run, code)
            return gc.get_objects() if is_again else None
        finally:
            if is_again:
                gc.unfreeze()
            # Those that were bound last know what was there before them.
            for run in reversed(bound):
                run.fresh.__spec__._initializing = False
                if run.module is not None:
                    _bind(run.name, run.module)

    def _run(self, run, code):
        before = all_tasks()
        run.fresh.__spec__._initializing = True
        _bind(run.name, run.fresh)
        _share_children(run)
        exec(code, vars(run.fresh))
        run.fresh.__spec__._initializing = False
        run.defined = Definitions(run.name, vars(run.fresh))
        run.tasks = all_tasks() - before

    def commit(self):
        """It has succeeded: what was staged is in force."""
        registry.commit({run.name: run.tasks for run in self._runs})

    def undo(self):
        """It has failed: everything is as it was."""
        names = {run.name for run in self._runs}
        registry.rollback()
        singletons.restore(self._singletons)
        for task in all_tasks() - self._tasks:
            task.cancel()
        for name, module in list(sys.modules.items()):
            if name not in self._modules and (name in names or self._owns(module)):
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


def _share_children(run):
    """A package that is run anew has its modules from the beginning: they are
    imported, and Python will not put them there once more."""
    if run.module is None or not hasattr(run.fresh, "__path__"):
        return
    names, within = vars(run.fresh), f"{run.name}."
    for name, module in list(sys.modules.items()):
        if name.startswith(within) and "." not in name[len(within) :]:
            names.setdefault(name[len(within) :], module)


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
