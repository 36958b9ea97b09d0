"""Replaces a module's functions and classes under the objects that use them.

The new source has been run aside. Of everything that the module defines there
are now two: the *old* one, which live objects, timers and other modules hold,
and the *new* one. Where both are called the same, the old one takes over what
the new one is, and the new one is forgotten; so whoever holds the old one runs
the new code, and there is one of each again. Data is simply bound anew.

Only what the module itself has defined is touched; what it has imported
belongs to others. What cannot be taken over is kept and reported by name.
"""

import inspect
import sys
import types

import _ffext

from . import classes, references
from .references import is_class, is_function

# What a module has by itself.
OWN_NAMES = frozenset(
    ("__name__", "__loader__", "__spec__", "__package__", "__path__", "__file__", "__cached__")
)

_accessors = ("fget", "fset", "fdel")


def merge(name, module, fresh, created, defined):
    """Makes ``module`` what ``fresh`` is.

    ``created`` are the objects that the run of the new source has made,
    ``defined`` the names that the load before it defined, where that is known.
    Returns the merger, which knows what stands for what, and what was kept.
    """
    merger = Merger(name, vars(module), vars(fresh))
    for step in (
        merger.merge_namespace,
        lambda: classes.rebase(merger),
        lambda: merger.adopt_functions(created),
        lambda: merger.adopt_objects(created),
        merger.relink_functions,
        lambda: references.replace(merger.pairs, created),
        lambda: merger.commit(defined),
        lambda: merger.leave_namespace(created),
    ):
        try:
            step()
        except Exception as error:
            # There is no way back from here: what can be done, is done.
            merger.keep(f"something ({type(error).__name__}: {error})")
    return merger


class Merger:
    """One merge of a module's old and new definitions."""

    def __init__(self, name, old_names, new_names):
        self.name = name
        # Pairs of (gone, instead): usually a new object, and the old one that
        # has taken over.
        self.pairs = []
        # The same by id. The pairs keep those ids from being given again.
        self._current = {}
        self._old_names = old_names
        self._new_names = new_names
        self._taken = set()
        # What stands for old code, by its id; None where nobody can say.
        self._codes = {}
        self._old_codes = []
        self._kept = {}

    def current(self, value):
        """What ``value`` is from now on: itself, or what stands for it."""
        return self._current.get(id(value), value)

    def pair(self, gone, instead):
        """``instead`` stands for ``gone`` from now on."""
        self._current[id(gone)] = instead
        self.pairs.append((gone, instead))

    def keep(self, what):
        """Reports that something runs on as it was."""
        self._kept[what] = None

    @property
    def kept(self):
        """What runs on as it was, by name."""
        return list(self._kept)

    def is_own(self, value):
        """Whether this module has defined ``value``."""
        return getattr(value, "__module__", None) == self.name

    # Values that have a name.

    def merge_namespace(self):
        """Pairs what both namespaces define. Definitions come before aliases."""
        names = [name for name in self._new_names if name in self._old_names]
        names.sort(key=lambda name: not self._is_defined_as(name))
        for name in names:
            try:
                self.merge_value(self._old_names[name], self._new_names[name])
            except Exception as error:
                self.keep(f"{name} ({type(error).__name__}: {error})")

    def _is_defined_as(self, name):
        return all(
            (is_function(value) or is_class(value)) and value.__qualname__ == name
            for value in (self._old_names[name], self._new_names[name])
        )

    def merge_value(self, old, new):
        """Lets ``old`` take over what ``new`` is, if they are of one kind;
        returns what their name is bound to from now on."""
        if old is new or id(new) in self._current:
            return self.current(new)
        if is_function(old) and is_function(new):
            return self._merge_function(old, new)
        if is_class(old) and is_class(new):
            return self._merge_class(old, new)
        if type(old) is type(new) and type(old) in (staticmethod, classmethod):
            merged = self.merge_value(old.__func__, new.__func__)
            return old if merged is old.__func__ else new
        if type(old) is type(new) is property:
            return self._merge_property(old, new)
        self._note_inner(old, new)
        return new

    def _take(self, old, new):
        """Claims both for each other; False if they are not to be merged."""
        if not (self.is_own(old) and self.is_own(new)):
            return False
        if id(old) in self._taken or id(new) in self._current:
            return False
        self._taken.add(id(old))
        return True

    def _merge_function(self, old, new):
        self._note_inner(old, new)
        if not self._take(old, new):
            return new
        self._note_code(old.__code__, new.__code__)
        home = self._old_names if new.__globals__ is self._new_names else new.__globals__
        _ffext.graft(old, new.__code__, home, new.__closure__)
        old.__defaults__ = new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__
        old.__doc__ = new.__doc__
        old.__name__ = new.__name__
        old.__qualname__ = new.__qualname__
        old.__annotations__ = new.__annotations__
        vars(old).clear()
        vars(old).update(vars(new))
        self.pair(new, old)
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

    # Functions that have none.

    def _note_inner(self, old, new):
        """Functions inside of decorated ones are of the same name, too."""
        for ours, theirs in _inner_functions(old, new):
            if self.is_own(ours) and id(ours.__code__) not in self._codes:
                if self._note_code(ours.__code__, theirs.__code__):
                    self._note_inner(ours, theirs)

    def _note_code(self, old, new):
        """``new`` stands for ``old``, if it is called the same, and what is in
        the one for what is in the other."""
        if old is new or id(old) in self._codes or old.co_qualname != new.co_qualname:
            return False
        self._remember_code(old, new)
        new_parts = _parts(new)
        for name, ours in _parts(old).items():
            theirs = new_parts.get(name, [])
            if len(ours) == len(theirs):
                for pair in zip(ours, theirs):
                    self._note_code(*pair)
                continue
            # One was added or taken away: only those that are the same are known.
            for part in ours:
                self._remember_code(part, next((one for one in theirs if _alike(one, part)), None))
        return True

    def _remember_code(self, old, new):
        self._old_codes.append(old)
        self._codes[id(old)] = new

    def relink_functions(self):
        """Functions that old code has made, such as lambdas that wait in timers,
        run what stands in their place now."""
        for function in references.functions_of(self._old_names):
            code = function.__code__
            new = self._codes.get(id(code), code)
            if new is code:
                continue
            if new is not None and new.co_freevars == code.co_freevars:
                function.__code__ = new
            else:
                self.keep(function.__qualname__)

    # What the run of the new source has made.

    def adopt_functions(self, created):
        """Its functions see the module's names, not those of the run aside."""
        for made in created:
            if is_function(made) and made.__globals__ is self._new_names:
                _ffext.graft(made, made.__code__, self._old_names, made.__closure__)

    def adopt_objects(self, created):
        """Its objects are of the classes that stay."""
        stays = {id(gone): instead for gone, instead in self.pairs if is_class(gone)}
        for made in created if stays else ():
            instead = stays.get(id(type(made)))
            if instead is not None:
                try:
                    references.set_class(made, instead)
                except TypeError:
                    self.keep(f"an object of {instead.__qualname__}")

    # The end.

    def commit(self, defined):
        """The module's names are what the new source has defined."""
        names = {
            name: self.current(new)
            for name, new in self._new_names.items()
            if name not in OWN_NAMES
        }
        vanished = [
            name
            for name, old in self._old_names.items()
            if name not in names and self._was_defined(name, old, defined)
        ]
        self._old_names.update(names)
        for name in vanished:
            del self._old_names[name]

    def _was_defined(self, name, old, defined):
        """Whether the source has defined a name, and nobody else has added it."""
        if name in OWN_NAMES or sys.modules.get(f"{self.name}.{name}") is old:
            return False
        if defined is not None:
            return name in defined
        return (is_function(old) or is_class(old)) and self.is_own(old)

    def leave_namespace(self, created):
        """Empties the namespace of the run aside, unless somebody is in it."""
        running = references.running_in(self._new_names, created)
        if not running:
            self._new_names.clear()
            return
        # A coroutine that was started while the source was run sees the names
        # that it was started with for as long as it runs.
        self._new_names.update(self._old_names)
        for what in running:
            self.keep(f"{what} (was started while it was being loaded)")


def _parts(code):
    """The code inside code, by name, in order."""
    parts = {}
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            parts.setdefault(part.co_name, []).append(part)
    return parts


def _alike(one, other):
    """Whether code does the same, on whatever lines it stands."""
    def same(left, right):
        if isinstance(left, types.CodeType) and isinstance(right, types.CodeType):
            return _alike(left, right)
        return type(left) is type(right) and left == right

    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and len(one.co_consts) == len(other.co_consts)
        and all(map(same, one.co_consts, other.co_consts))
    )


def _inner_functions(old, new):
    """Pairs of functions that two values have inside, or one has and one is."""
    inner, other = (inspect.getattr_static(one, "__wrapped__", None) for one in (old, new))
    ours, theirs = references.cells_of(old), references.cells_of(new)
    pairs = [(inner, other), (old, other), (inner, new)]
    pairs += [(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()]
    return [
        pair
        for pair in pairs
        if all(map(is_function, pair)) and pair[0] is not pair[1]
    ]
