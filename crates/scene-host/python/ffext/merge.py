"""Replaces functions and classes of modules under the objects that use them.

The new sources have been run aside. Of everything that a module defines there
are now two: the *old* one, which live objects, timers and other modules hold,
and the *new* one. Where both are called the same, the old one takes over what
the new one is, and the new one is forgotten; so whoever holds the old one runs
the new code, and there is one of each again. Data is simply bound anew.

Only what a module itself has defined is touched; what it has imported belongs
to others. What cannot be taken over is kept and reported by name. See
:mod:`ffext.codes` for functions that no module names.
"""

import sys

import _ffext

from . import classes, references
from .codes import Codes
from .log import printable
from .references import is_class, is_function

# What a module has by itself.
OWN_NAMES = frozenset(
    ("__name__", "__loader__", "__spec__", "__package__", "__path__", "__file__", "__cached__")
)

_accessors = ("fget", "fset", "fdel")


class Merge:
    """One merge of all that a load has brought. It knows what stands for what,
    and what was kept."""

    def __init__(self):
        # Pairs of (gone, instead): usually a new object, and the old one that
        # has taken over.
        self.pairs = []
        # The same by id. The pairs keep those ids from being given again.
        self._current = {}
        # The names of the modules that stay, by the ids of those of the runs.
        self._homes = {}
        # The ids of old objects that have taken something over.
        self.taken = set()
        self.codes = Codes()
        self._kept = {}

    def run(self, modules, created):
        """Makes old modules what the new ones are.

        ``modules`` are the :class:`Module` of each, those that others import
        first; ``created`` are the objects that the runs of their sources have made.
        """
        def of_each(step):
            for module in modules:
                self.attempt(lambda: step(module))

        names = [module.new_names for module in modules]
        for module in modules:
            self._homes[id(module.new_names)] = module.old_names
        of_each(Module.add_names)
        of_each(Module.merge_namespace)
        self.attempt(lambda: classes.rebase(self))
        self.attempt(lambda: self._adopt_functions(created))
        self.attempt(lambda: self._adopt_objects(created))
        self.attempt(lambda: self._relink_functions(modules))
        self.attempt(lambda: references.replace(self.pairs, created, names))
        of_each(Module.commit)
        of_each(lambda module: module.leave_namespace(created))

    def attempt(self, step):
        """There is no way back from here: what can be done, is done."""
        try:
            step()
        except BaseException as error:
            self.keep_failed("something", error)

    def current(self, value):
        """What ``value`` is from now on: itself, or what stands for it."""
        return self._current.get(id(value), value)

    def is_gone(self, value):
        """Whether something else stands for ``value``."""
        return id(value) in self._current

    def pair(self, gone, instead):
        """``instead`` stands for ``gone`` from now on."""
        self._current[id(gone)] = instead
        self.pairs.append((gone, instead))

    def keep(self, what):
        """Reports that something runs on as it was."""
        self._kept[printable(what)] = None

    def keep_failed(self, what, error):
        """Reports that something runs on as it was because of an error."""
        try:
            self.keep(f"{what} ({type(error).__name__}: {error})")
        except Exception:
            # It cannot even be printed.
            self.keep(f"{what} ({type(error).__name__})")

    @property
    def kept(self):
        """What runs on as it was, by name."""
        return list(self._kept)

    def home(self, names):
        """The names of the module that stays, where these are those of its run."""
        return self._homes.get(id(names), names)

    def _adopt_functions(self, created):
        """Functions that the runs have made see the names of what stays, not those
        of the runs."""
        for made in created:
            if is_function(made) and (names := made.__globals__) is not self.home(names):
                _ffext.graft(made, made.__code__, self.home(names), made.__closure__)

    def _adopt_objects(self, created):
        """Objects that the runs have made are of the classes that stay."""
        stays = {id(gone): instead for gone, instead in self.pairs if is_class(gone)}
        for made in created if stays else ():
            instead = stays.get(id(type(made)))
            if instead is not None:
                try:
                    references.set_class(made, instead)
                except TypeError:
                    self.keep(f"an object of {instead.__qualname__}")

    def _relink_functions(self, modules):
        """Functions that old code has made, such as lambdas that wait in timers,
        run what stands in their place now."""
        for function in references.functions_of([module.old_names for module in modules]):
            if not self.codes.relink(function):
                self.keep(function.__qualname__)


class Module:
    """A module's old and new definitions, and how they become one.

    ``fresh`` is the module that the new source was run in, ``module`` the one
    that stays; ``defined`` are the :class:`~ffext.classes.Definitions` of the load
    before, None if it is not known.
    """

    def __init__(self, merge, name, fresh, module, defined):
        self.merge = merge
        self.name = name
        self.old_names = vars(module)
        self.new_names = vars(fresh)
        # What both of them name; it is fixed before names are added.
        self._common = [name for name in self.new_names if name in self.old_names]
        self._defined = defined
        merge.pair(fresh, module)

    def is_own(self, value):
        """Whether this module has defined ``value``."""
        return getattr(value, "__module__", None) == self.name

    def was_defined(self, cls, name, value):
        """Whether the source has defined a member of an old class, and nobody
        else has set it since."""
        members = self._defined and self._defined.members_of(cls)
        if members:
            return name in members
        return classes.is_definition(self, cls, name, value)

    # Values that have a name.

    def add_names(self):
        """Other threads may run new code as soon as a function has it: what is
        new in the module is there by then."""
        for name, new in self.new_names.items():
            self.old_names.setdefault(name, new)

    def merge_namespace(self):
        """Pairs what both namespaces define. Definitions come before aliases."""
        for name in sorted(self._common, key=lambda name: not self._is_defined_as(name)):
            try:
                self.merge_value(self.old_names[name], self.new_names[name])
            except BaseException as error:
                self.merge.keep_failed(name, error)

    def _is_defined_as(self, name):
        return all(
            (is_function(value) or is_class(value)) and value.__qualname__ == name
            for value in (self.old_names[name], self.new_names[name])
        )

    def merge_value(self, old, new):
        """Lets ``old`` take over what ``new`` is, if they are of one kind;
        returns what their name is bound to from now on."""
        if old is new or self.merge.is_gone(new):
            return self.merge.current(new)
        if is_function(old) and is_function(new):
            return self._merge_function(old, new)
        if is_class(old) and is_class(new):
            return self._merge_class(old, new)
        if type(old) is type(new) and type(old) in (staticmethod, classmethod):
            merged = self.merge_value(old.__func__, new.__func__)
            return old if merged is old.__func__ else new
        if type(old) is type(new) is property:
            return self._merge_property(old, new)
        self.merge.codes.note_inner(old, new, self.is_own)
        return new

    def _take(self, old, new):
        """Claims both for each other; False if they are not to be merged."""
        if not (self.is_own(old) and self.is_own(new)):
            return False
        if id(old) in self.merge.taken or self.merge.is_gone(new):
            return False
        self.merge.taken.add(id(old))
        return True

    def _merge_function(self, old, new):
        self.merge.codes.note_inner(old, new, self.is_own)
        if not self._take(old, new):
            return new
        self.merge.codes.note_merged(old, new)
        home = self.merge.home(new.__globals__)
        code, closure = new.__code__, new.__closure__
        # No other thread gets its turn before the call has been made.
        old.__defaults__ = new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__
        _ffext.graft(old, code, home, closure)
        old.__doc__ = new.__doc__
        old.__name__ = new.__name__
        old.__qualname__ = new.__qualname__
        old.__annotations__ = new.__annotations__
        vars(old).clear()
        vars(old).update(vars(new))
        self.merge.pair(new, old)
        return old

    def _merge_property(self, old, new):
        pairs = [(getattr(old, name), getattr(new, name)) for name in _accessors]
        merged = [
            theirs if ours is None or theirs is None else self.merge_value(ours, theirs)
            for ours, theirs in pairs
        ]
        same = all(now is ours for now, (ours, _) in zip(merged, pairs))
        if same and old.__doc__ == new.__doc__:
            return old
        return property(*merged, doc=new.__doc__)

    def _merge_class(self, old, new):
        if old.__qualname__ == new.__qualname__ and self._take(old, new):
            return classes.merge(self, old, new)
        return new

    # The end.

    def commit(self):
        """The module's names are what the new source has defined."""
        names = {
            name: self.merge.current(new)
            for name, new in self.new_names.items()
            if name not in OWN_NAMES
        }
        vanished = [
            name
            for name, old in self.old_names.items()
            if name not in names and self._is_own_name(name, old)
        ]
        self.old_names.update(names)
        for name in vanished:
            del self.old_names[name]

    def _is_own_name(self, name, old):
        """Whether the source has defined a name, and nobody else has added it."""
        if name in OWN_NAMES or sys.modules.get(f"{self.name}.{name}") is old:
            return False
        if self._defined is not None:
            return name in self._defined.names
        return (is_function(old) or is_class(old)) and self.is_own(old)

    def leave_namespace(self, created):
        """Empties the namespace of the run aside, unless somebody is in it."""
        running = references.running_in(self.new_names, created)
        if not running:
            self.new_names.clear()
            return
        # A coroutine that was started while the source was run sees the names
        # that it was started with for as long as it runs.
        self.new_names.update(self.old_names)
        for what in running:
            self.merge.keep(f"{what} (was started while it was being loaded)")
