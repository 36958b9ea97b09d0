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
import traceback
import types

import _ffext

from . import merge, timers
from .classes import Definitions
from .log import printable
from .outcome import Reload, Version
from .registry import label, lineage, registry
from .trial import Trial


# Where libraries are installed.
_installed = {"site-packages", "dist-packages"}


class Refused(Exception):
    """Why nothing was loaded, in a line, with the traceback where there is one."""

    def __init__(self, reason, traceback=""):
        super().__init__(reason)
        self.traceback = traceback


class Source:
    """A module's file, as it is now."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}") from None
        self.hash = hashlib.sha256(text).hexdigest()[:12]
        self.text = text

    def compile(self):
        return compile(self.text, self.path, "exec", dont_inherit=True)


class Loader:
    """Loads the script of this scene, and the modules beside it."""

    def __init__(self):
        self.script = None
        self.name = None
        self.version = Version(0, "")
        self._roots = ()
        self._loading = False
        # What each module's last load defined.
        self._defined = {}

    def configure(self, script, roots):
        """Which script this is, and where modules of its own are found."""
        self.script = os.path.abspath(script)
        self.name = os.path.splitext(os.path.basename(script))[0]
        self._roots = tuple(os.path.join(os.path.realpath(root), "") for root in roots)

    def load(self, name=None):
        """Loads the script, or a module that it has imported, once more."""
        _ffext.check_thread()
        name = self.name if name is None else getattr(name, "__name__", str(name))
        if self._loading:
            return self._failed(name, Refused("a load is under way; reload when it is done"))
        # A timer may be who calls: what is started from here on is not of its load.
        token = lineage.set(None)
        try:
            return self._load_and_tell(name)
        finally:
            lineage.reset(token)

    def _load_and_tell(self, name):
        again = name in sys.modules
        self._loading = True
        try:
            result = self._load(name)
        except Refused as refusal:
            result = self._failed(name, refusal)
        else:
            _ffext.loaded(name, *self.version, result.hash, result.kept)
        finally:
            self._loading = False
        # Now that the refusal is gone, and with it what holds the failed run.
        _tidy()
        if result and again:
            _call_hooks(result)
        return result

    def _load(self, name):
        module = sys.modules.get(name)
        if name == self.name and name not in self._defined:
            # It has never been loaded; then another module has its name.
            if module is not None or name in sys.stdlib_module_names:
                raise Refused(
                    f"{self.script} has the name of a module of Python's own; "
                    f"call it something else than {name}.py"
                )
            path = self.script
        elif module is None:
            raise Refused(f"no module {name} is loaded")
        elif not issubclass(type(module), types.ModuleType):
            raise Refused(f"something that is no module has taken the name {name} in sys.modules")
        else:
            path = self._path(name, module)
        source = Source(path)
        kept = self._run(name, source, module)
        version = self.version.version + 1
        self.version = Version(version, source.hash if name == self.name else self.version.hash)
        return Reload(name, version, source.hash, kept)

    def _path(self, name, module):
        """The file of a module that may be loaded again."""
        if name == self.name:
            return self.script
        path = vars(module).get("__file__")
        if not isinstance(path, str) or not path.endswith(".py") or not self._is_own(path):
            raise Refused(f"{name} is not one of the script's own modules")
        return path

    def _is_own(self, path):
        if not os.path.isabs(path):
            # No file: <string>, or a module that is in the host's binary.
            return False
        path = os.path.realpath(path)
        # Libraries that are installed within the script's folder are not its own.
        return path.startswith(self._roots) and not _installed & set(path.split(os.sep))

    def _fresh(self, name, path, module):
        """An empty module to run the source in."""
        packages = list(module.__path__) if hasattr(module, "__path__") else None
        spec = importlib.util.spec_from_file_location(
            name, path, submodule_search_locations=packages
        )
        return importlib.util.module_from_spec(spec)

    def _run(self, name, source, module):
        """Runs the source aside, then commits it; returns what was kept."""
        fresh = self._fresh(name, source.path, module)
        names = vars(fresh if module is None else module)
        trial = Trial(name, self._is_own)
        try:
            created = trial.run(source.compile(), fresh)
            defined = Definitions(name, vars(fresh))
        except BaseException as error:
            trial.undo()
            refusal = Refused(describe(error, self._is_own), _traceback(error))
        else:
            refusal = None
        if refusal is not None:
            # Not from within the handler: it would hold on to the error.
            raise refusal
        merger = merge.Merger(name, names, vars(fresh))
        if module is not None:
            merger.pair(fresh, module)
            merger.run(created, self._defined.get(name))
        self._defined[name] = defined
        merger.attempt(lambda: registry.replace(merger.current))
        merger.attempt(trial.commit)
        return merger.kept

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
    the next load; by these thresholds, hardly anything would find it sooner.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)


def _call_hooks(result):
    for hook in registry.hooks():
        try:
            made = hook(result)
            if asyncio.iscoroutine(made):
                timers.spawn(made, "hook", label(hook))
        except BaseException as error:
            _ffext.failed("hook", label(hook), error)


def _traceback(error):
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename.startswith("<ffext"):
        # How this package got there says nothing about the script.
        place = place.tb_next
    try:
        return printable("".join(traceback.format_exception(type(error), error, place)))
    except Exception:
        return ""


def describe(error, is_own):
    """What was wrong and where, in a line: ``main.py, line 3: NameError: …``."""
    frames = traceback.extract_tb(error.__traceback__, limit=-100)
    places = [(frame.filename, frame.lineno) for frame in frames if is_own(frame.filename)]
    what = type(error).__name__
    try:
        if isinstance(error, SyntaxError) and error.filename:
            what = printable(f"{what}: {error.msg}")
            # Where it is, unless that is no file: then who has had it compiled.
            if is_own(error.filename) or not places:
                places.append((error.filename, error.lineno))
        else:
            what = printable("".join(traceback.format_exception_only(error)).strip())
    except Exception:
        # It cannot even be printed.
        pass
    if not places:
        return what
    path, line = places[-1]
    return f"{os.path.basename(path)}, line {line}: {what}"


loader = Loader()


def reload(name=None):
    """Loads a module again, under the objects that use it: the script itself,
    or a module beside it that it has imported.

    Happens at once; the function that calls it finishes as old code. Returns a
    result that is true if it succeeded, and that says as text what happened. If
    it fails, nothing has changed, save what the source did to objects of others.
    """
    return loader.load(name)


def on_reload(function):
    """Registers ``f(result)``, called after each successful load again."""
    if not callable(function):
        raise TypeError(f"a function is registered, not {function!r}")
    registry.register(lambda owner: owner.hooks.append(function))
    return function


def version():
    """Which script runs: ``version`` counts its loads, ``hash`` is its source's."""
    return loader.version
