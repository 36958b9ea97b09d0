"""Loads the script, and loads it again under the objects that use it.

A load is all or nothing. The source is compiled and run aside, in a namespace
of its own, with everything that it registers staged; only when that has
succeeded does anything change. See :mod:`ffext.merge` for what changes then.
"""

import asyncio
import gc
import hashlib
import importlib.util
import os
import sys
import types

import _ffext

from . import merge, timers
from .faults import describe, traceback_of
from .outcome import Reload, Version
from .registry import label, lineage, registry
from .sources import Refused, Source, digest_of, in_order, watch_imports
from .trial import Run, Trial


# Where libraries are installed.
_installed = {"site-packages", "dist-packages"}


class Loader:
    """Loads the script of this scene, and the modules beside it."""

    def __init__(self):
        self.script = None
        self.name = None
        self.version = Version(0, "")
        self._folders = ()
        self._roots = ()
        self._loading = False
        # What each module's last load defined.
        self._defined = {}
        # The hash of the source that each own module was last loaded from.
        self._hashes = {}
        # The files that were tried to load or import of late, and what they were.
        self._tried = {}
        # What has failed last, if nothing has been loaded since.
        self._failure = None

    def configure(self, script, roots):
        """Which script this is, and where modules of its own are found."""
        self.script = os.path.abspath(script)
        self.name = os.path.splitext(os.path.basename(script))[0]
        self._folders = tuple(roots)
        self._find_roots()
        watch_imports(self._is_own, self._imported)

    def load(self, name=None):
        """Loads a module that the script has imported, or the script with all that
        has changed, once more."""
        _ffext.check_thread()
        name = name if name is None else getattr(name, "__name__", str(name))
        if self._loading:
            refusal = Refused("a load is under way; reload when it is done")
            return self._failed(name or self.name, refusal)
        # A timer may be who calls: what is started from here on is not of its load.
        token = lineage.set(None)
        try:
            return self._load_and_tell(name)
        finally:
            lineage.reset(token)

    def load_changed(self):
        """As :meth:`load`, if anything has changed since that was last tried;
        otherwise None."""
        _ffext.check_thread()
        if self._failure is not None:
            tried, _ = self._failure
            if self._failure == ({path: digest_of(path) for path in tried}, self._names()):
                return None
        digest = digest_of(self.script)
        # If it is not there, it is being written, and will be in a moment.
        is_same = digest is None or digest == self._hashes.get(self.name)
        if is_same and not self._changed():
            return None
        return self.load()

    def _load_and_tell(self, name):
        self._find_roots()
        again = (name or self.name) in sys.modules
        hashes, names = dict(self._hashes), self._names()
        self._tried = {}
        self._loading = True
        try:
            result = self._load(name)
        except Refused as refusal:
            self._hashes = hashes
            self._failure = self._tried, names
            result = self._failed(name or self.name, refusal)
        else:
            self._failure = None
            modules = ", ".join(result.modules)
            _ffext.loaded(modules, *self.version, result.hash, result.kept)
        finally:
            self._loading = False
        self._tell_files()
        # Now that the refusal is gone, and with it what holds the failed run.
        _tidy()
        if result and again:
            _call_hooks(result)
        return result

    def _load(self, name):
        main = name or self.name
        runs = [self._prepare(main, self._source(main))]
        if name is None and main in self._defined:
            changed = self._changed()
            runs[:0] = [self._prepare(name, changed[name]) for name in in_order(changed)]
        kept = self._run(runs)
        self.version = Version(self.version.version + 1, self._content())
        names = [run.name for run in runs]
        return Reload(main, *self.version, kept, modules=names)

    def _content(self):
        """A hash of all that the script is: two scenes that have the same run the
        same sources."""
        if set(self._hashes) <= {self.name}:
            return self._hashes.get(self.name, "")
        sources = "".join(f"{name} {hash}\n" for name, hash in sorted(self._hashes.items()))
        return hashlib.sha256(sources.encode()).hexdigest()[:12]

    def _source(self, name):
        """The source of the script, or of a module that has been loaded."""
        module = sys.modules.get(name)
        if name == self.name and name not in self._defined:
            # It has never been loaded; then another module has its name.
            if module is not None or name in sys.stdlib_module_names:
                raise Refused(
                    f"{self.script} has the name of a module of Python's own; "
                    f"call it something else than {name}.py"
                )
            return Source(self.script)
        if module is None:
            raise Refused(f"no module {name} is loaded")
        if not issubclass(type(module), types.ModuleType):
            raise Refused(f"something that is no module has taken the name {name} in sys.modules")
        return Source(self._path(name, module))

    def _changed(self):
        """The sources of own modules beside the script that are not what was loaded."""
        changed = {}
        for name, loaded in list(self._hashes.items()):
            if name == self.name or name not in sys.modules:
                continue
            try:
                source = self._source(name)
            except Refused:
                # Its file is gone, or it is not its own any more; it stays as it is.
                continue
            if source.hash != loaded:
                changed[name] = source
        return changed

    def _imported(self, name, path, hash):
        """A module is imported for the first time."""
        self._hashes[name] = hash
        self._tried[path] = hash
        if not self._loading:
            self._tell_files()

    def _names(self):
        """What there is to import, as far as it shows: a file that was missing may
        be all that a load has failed for."""
        names = set()
        for folder in self._folders:
            try:
                names.update(name for name in os.listdir(folder) if name.endswith(".py"))
            except OSError:
                # It may be there some day.
                continue
        return names

    def _tell_files(self):
        """Tells which files are the script's own, for whoever watches them."""
        files = {self.script, *self._tried}
        for name in self._hashes:
            path = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
            if isinstance(path, str):
                files.add(path)
        _ffext.own_files(sorted(files), list(self._folders))

    def _path(self, name, module):
        """The file of a module that may be loaded again."""
        if name == self.name:
            return self.script
        path = vars(module).get("__file__")
        if not isinstance(path, str) or not path.endswith(".py") or not self._is_own(path):
            raise Refused(f"{name} is not one of the script's own modules")
        return path

    def _find_roots(self):
        """Where the folders are that may be links to the latest release."""
        self._roots = tuple(os.path.join(os.path.realpath(one), "") for one in self._folders)

    def _is_own(self, path):
        if not os.path.isabs(path):
            # No file: <string>, or a module that is in the host's binary.
            return False
        end = os.sep if path.endswith(os.sep) else ""
        path = os.path.realpath(path) + end
        # Libraries that are installed within the script's folder are not its own.
        return path.startswith(self._roots) and not _installed & set(path.split(os.sep))

    def _fresh(self, name, path, module):
        """An empty module to run the source in."""
        packages = list(module.__path__) if hasattr(module, "__path__") else None
        spec = importlib.util.spec_from_file_location(
            name, path, submodule_search_locations=packages
        )
        return importlib.util.module_from_spec(spec)

    def _prepare(self, name, source):
        self._tried[source.path] = source.hash
        module = sys.modules.get(name)
        return Run(name, source, self._fresh(name, source.path, module), module)

    def _run(self, runs):
        """Runs sources aside, then commits them; returns what was kept."""
        trial = Trial(runs, self._is_own)
        try:
            created = trial.run()
        except BaseException as error:
            trial.undo()
            refusal = Refused(describe(error, self._is_own), traceback_of(error))
        else:
            refusal = None
        if refusal is not None:
            # Not from within the handler: it would hold on to the error.
            raise refusal
        merged = merge.Merge()
        if created is not None:
            defined = self._defined
            modules = [
                merge.Module(merged, run.name, run.fresh, run.module, defined.get(run.name))
                for run in runs
            ]
            for run in runs:
                # Whoever holds it now is to hold the module that stays.
                run.fresh = None
            merged.run(modules, created)
        for run in runs:
            self._defined[run.name] = run.defined
            self._hashes[run.name] = run.source.hash
        merged.attempt(lambda: registry.replace(merged.current))
        merged.attempt(trial.commit)
        return merged.kept

    def _failed(self, name, refusal):
        _ffext.load_failed(name, str(refusal), refusal.traceback)
        return Reload(name, *self.version, error=str(refusal))


def _tidy():
    """Keeps the collector's pauses short, however much the script holds.

    What is alive is set aside, so that no collection looks at it. To collect
    first is a pause (30 ms with 200,000 objects, where the load itself takes 20
    and more), at a moment that somebody has chosen. Without it what is garbage by
    now would be set aside as well; with neither, the same pause would come in the
    middle of play. What is set aside now and becomes garbage later is found by
    the next load.

    Of what is made from now on, players say, a collection looks at no more than
    2,000 x 20 objects (2.5 ms): those that are older have been looked at, and wait
    for one that looks at all. That takes 4 ms with 100,000 of them, and comes when
    the scene has been quiet for a second (:func:`ffext.tasks.chores`), or after ten
    million have been made and kept.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 250)


def _call_hooks(result):
    for hook in registry.hooks():
        try:
            made = hook(result)
            if asyncio.iscoroutine(made):
                timers.spawn(made, "hook", label(hook))
        except BaseException as error:
            _ffext.failed("hook", label(hook), error)


loader = Loader()


def reload(name=None):
    """Loads the script again, under the objects that use it, and with it every
    module of its own whose source has changed since it was loaded.

    With a ``name``, such as ``'rules'`` or ``'shop.prices'``, or a module, it loads
    that one alone, changed or not. The script's own modules are those in its folder
    and in the scene's ``python_path``; libraries are not loaded again.

    All of it comes into force at once, or nothing does: modules that others import
    are run first, and if any of them fails nothing has changed, save what sources
    did to objects of others. Objects, timers, callbacks and handlers that are there
    run the new code; handlers and import-time timers of the earlier load are gone.
    What a module has taken from another by ``from rules import price`` is followed
    if it is a function or a class. Data that was taken so is what it was, until the
    module that took it is loaded again.

    It happens at once; the function that calls it finishes as old code. Returns a
    result that is true if it succeeded, has ``modules``, ``version``, ``hash``,
    ``kept`` (what runs on as old code, by name) and ``error``, and that says as text
    what happened::

        result = ffext.reload()
        print(result)       # ok: main version 3 (a1b2c3d4e5f6), with rules

    It raises nothing that a source raises: that is ``result.error``.
    """
    return loader.load(name)


def reload_changed():
    """Loads what has changed, if anything has; then None."""
    return loader.load_changed()


def on_reload(function):
    """Registers who is told of each successful load again::

        @ffext.on_reload
        def reloaded(result):
            ffext.broadcast_msg_session(1, f'new rules: version {result.version}')

    ``f(result)``, plain or async, is given what ``reload()`` returns.
    """
    if not callable(function):
        raise TypeError(f"a function is registered, not {function!r}")
    registry.register(lambda owner: owner.hooks.append(function))
    return function


def version():
    """Which script runs::

        number, source = ffext.version()   # 3, 'a1b2c3d4e5f6'

    ``version`` counts its loads, ``hash`` is the first 12 hexadecimal digits of the
    SHA-256 of its source, or, where it imports modules of its own, of all of them.
    """
    return loader.version
