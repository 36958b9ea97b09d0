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

import _ffext

from . import merge, timers
from .log import printable
from .outcome import Reload, Version
from .registry import label, registry
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
        self.script = script
        self.name = os.path.splitext(os.path.basename(script))[0]
        self._roots = tuple(os.path.join(os.path.realpath(root), "") for root in roots)

    def load(self, name=None):
        """Loads the script, or a module that it has imported, once more."""
        _ffext.check_thread()
        name = self.name if name is None else getattr(name, "__name__", str(name))
        if self._loading:
            return self._failed(name, Refused("a load is under way; reload when it is done"))
        self._loading = True
        try:
            result = self._load(name)
        except Refused as refusal:
            return self._failed(name, refusal)
        finally:
            self._loading = False
        _ffext.loaded(name, *self.version, result.hash, result.kept)
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
        else:
            path = self._path(name, module)
        source = Source(path)
        fresh = self._fresh(name, path, module)
        kept = self._run(name, source, module, fresh)
        version = self.version.version + 1
        self.version = Version(version, source.hash if name == self.name else self.version.hash)
        return Reload(name, version, source.hash, kept)

    def _path(self, name, module):
        """The file of a module that may be loaded again."""
        if name == self.name:
            return self.script
        path = getattr(module, "__file__", None) or ""
        if not path.endswith(".py") or not self._is_own(path):
            raise Refused(f"{name} is not one of the script's own modules")
        return path

    def _is_own(self, path):
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

    def _run(self, name, source, module, fresh):
        """Runs the source aside, then commits it; returns what was kept."""
        first = module is None
        trial = Trial(name, self._is_own)
        try:
            code = source.compile()
            if first:
                # So that modules which it imports can import it.
                sys.modules[name] = fresh
            created = trial.run(code, fresh, collect=not first)
        except BaseException as error:
            if first:
                sys.modules.pop(name, None)
            trial.undo()
            raise Refused(describe(error, self._is_own), _traceback(error)) from None
        defined = set(vars(fresh))
        kept = []
        if not first:
            merger = merge.merge(name, module, fresh, created, self._defined.get(name))
            registry.replace(merger.current)
            kept = merger.kept
            del merger, created
        self._defined[name] = defined
        trial.commit()
        _tidy(first)
        return kept

    def _failed(self, name, refusal):
        _ffext.load_failed(name, str(refusal), refusal.traceback)
        return Reload(name, *self.version, error=str(refusal))


def _tidy(first):
    """Keeps the collector's pauses short."""
    if first:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 1_000)
    else:
        # What the load has left over is young.
        gc.collect(1)


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
    if isinstance(error, SyntaxError) and error.filename:
        what = printable(f"{type(error).__name__}: {error.msg}")
        return f"{os.path.basename(error.filename)}, line {error.lineno}: {what}"
    try:
        what = printable("".join(traceback.format_exception_only(error)).strip())
    except Exception:
        what = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__, limit=-100)
    own = [frame for frame in frames if is_own(frame.filename)]
    if own:
        return f"{os.path.basename(own[-1].filename)}, line {own[-1].lineno}: {what}"
    return what


loader = Loader()


def reload(name=None):
    """Loads a module again, under the objects that use it: the script itself,
    or a module beside it that it has imported.

    Happens at once; the function that calls it finishes as old code. Returns a
    result that is true if it succeeded, and that says as text what happened. If
    it fails, nothing has changed.
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
