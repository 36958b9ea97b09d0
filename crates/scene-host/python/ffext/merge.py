"""Replaces a module's functions and classes under the objects that use them.

The new source has been run aside. Of everything that the module defines there
are now two: the *old* one, which live objects, timers and other modules hold,
and the *new* one. Where both are called the same, the old one takes over what
the new one is, and the new one is forgotten; so whoever holds the old one runs
the new code, and there is one of each again. Data is simply bound anew.

Only what the module itself has defined is touched; what it has imported
belongs to others. What cannot be taken over is kept and reported by name.
"""

import bisect
import inspect
import sys
import types

import _ffext

from . import classes, references
from .log import printable
from .references import is_class, is_function

# What a module has by itself.
OWN_NAMES = frozenset(
    ("__name__", "__loader__", "__spec__", "__package__", "__path__", "__file__", "__cached__")
)

_accessors = ("fget", "fset", "fdel")


class Merger:
    """One merge of a module's old and new definitions. It knows what stands for
    what, and what was kept."""

    def __init__(self, name, old_names, new_names):
        self.name = name
        # Pairs of (gone, instead): usually a new object, and the old one that
        # has taken over.
        self.pairs = []
        # The same by id. The pairs keep those ids from being given again.
        self._current = {}
        self._old_names = old_names
        self._new_names = new_names
        # What both of them name; it is fixed before names are added.
        self._common = [name for name in new_names if name in old_names]
        self._taken = set()
        # What the load before this one has defined, where that is known.
        self._defined = None
        # What stands for old code, by its id; None where nobody can say.
        self._codes = {}
        self._old_codes = []
        # What functions were, by their code's id: the defaults, and who has merged.
        self._merged = {}
        self._kept = {}

    def run(self, created, defined):
        """Makes the old module what the new one is.

        ``created`` are the objects that the run of the new source has made,
        ``defined`` the :class:`~ffext.classes.Definitions` of the load before.
        """
        self._defined = defined
        for step in (
            self.add_names,
            self.merge_namespace,
            lambda: classes.rebase(self),
            lambda: self.adopt_functions(created),
            lambda: self.adopt_objects(created),
            self.relink_functions,
            lambda: references.replace(self.pairs, created),
            self.commit,
            lambda: self.leave_namespace(created),
        ):
            self.attempt(step)

    def attempt(self, step):
        """There is no way back from here: what can be done, is done."""
        try:
            step()
        except BaseException as error:
            self.keep_failed("something", error)

    def current(self, value):
        """What ``value`` is from now on: itself, or what stands for it."""
        return self._current.get(id(value), value)

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
        for name, new in self._new_names.items():
            self._old_names.setdefault(name, new)

    def merge_namespace(self):
        """Pairs what both namespaces define. Definitions come before aliases."""
        for name in sorted(self._common, key=lambda name: not self._is_defined_as(name)):
            try:
                self.merge_value(self._old_names[name], self._new_names[name])
            except BaseException as error:
                self.keep_failed(name, error)

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
        self._merged[id(old.__code__)] = old.__defaults__, old.__kwdefaults__, new
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
            for part, instead in _align(ours, new_parts.get(name, [])):
                if instead is not None:
                    self._note_code(part, instead)
                elif id(part) not in self._codes:
                    self._remember_code(part, None)
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
            # Its defaults and what it has taken from around it stay.
            if new is not None and _is_called_alike(new, code):
                function.__code__ = new
            elif (twin := self._twin(function)) is not None:
                function.__defaults__ = twin.__defaults__
                function.__kwdefaults__ = twin.__kwdefaults__
                function.__code__ = new
            else:
                self.keep(function.__qualname__)

    def _twin(self, function):
        """What stands for one that is a function of the module once more, made by
        an earlier load and held by others since: it has its defaults, too."""
        defaults, keywords, new = self._merged.get(id(function.__code__), (None, None, None))
        if new is None or function.__code__.co_freevars != new.__code__.co_freevars:
            return None
        same = function.__defaults__ is defaults and function.__kwdefaults__ is keywords
        return new if same else None

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

    def commit(self):
        """The module's names are what the new source has defined."""
        names = {
            name: self.current(new)
            for name, new in self._new_names.items()
            if name not in OWN_NAMES
        }
        vanished = [
            name
            for name, old in self._old_names.items()
            if name not in names and self._is_own_name(name, old)
        ]
        self._old_names.update(names)
        for name in vanished:
            del self._old_names[name]

    def _is_own_name(self, name, old):
        """Whether the source has defined a name, and nobody else has added it."""
        if name in OWN_NAMES or sys.modules.get(f"{self.name}.{name}") is old:
            return False
        if self._defined is not None:
            return name in self._defined.names
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


def _align(ours, theirs):
    """Pairs parts of one name with what stands for them now, or with None.

    Those that are the same are found wherever they are. What lies between the
    same two of those, or at the same end, and is as many as it was, is in order.
    """
    found, free = {}, list(range(len(theirs)))
    for place, part in enumerate(ours):
        match = next((other for other in free if _alike(part, theirs[other])), None)
        if match is not None:
            found[place] = match
            free.remove(match)
    # What has changed, by where it is: after whom, and before whom.
    mine = _gaps(len(ours), found)
    others = _gaps(len(theirs), {match: match for match in found.values()})
    for between, places in mine.items():
        matches = others.get(between, [])
        if len(places) == len(matches):
            found.update(zip(places, matches))
    return [
        (part, theirs[found[place]] if place in found else None)
        for place, part in enumerate(ours)
    ]


def _gaps(count, found):
    """The places that are not found, by the matches before and after them."""
    gaps = {}
    places = sorted(found)
    for place in range(count):
        if place not in found:
            split = bisect.bisect(places, place)
            before = [found[one] for one in places[:split][-1:]]
            after = [found[one] for one in places[split:][:1]]
            gaps.setdefault((*before, "…", *after), []).append(place)
    return gaps


def _is_called_alike(one, other):
    """Whether calls of the one suit the other, and so do cells and defaults."""
    return _shape(one) == _shape(other)


def _shape(code):
    takes = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    count = code.co_argcount + code.co_kwonlyargcount + takes.bit_count()
    return (
        takes,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_varnames[:count],
        code.co_freevars,
    )


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
        and _is_called_alike(one, other)
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
