"""Which code stands for which, when a source has been run again.

A function that the module names is merged as the object that it is. Functions
that nobody names, such as lambdas that wait in timers and closures, are known by
their code: that of the old source, and what is called the same and is in the same
place in the new one.
"""

import bisect
import inspect
import types

from . import references
from .references import is_function


class Codes:
    """What stands for old code from now on, in one module."""

    def __init__(self):
        # By the old code's id; None where nobody can say.
        self._new = {}
        # So that those ids are not given again.
        self._old = []
        # What functions were, by their code's id: the defaults, and who has merged.
        self._merged = {}

    def knows(self, code):
        """Whether something stands for ``code``, or is known not to."""
        return id(code) in self._new

    def note(self, old, new):
        """``new`` stands for ``old``, if it is called the same, and what is in
        the one for what is in the other."""
        if old is new or id(old) in self._new or old.co_qualname != new.co_qualname:
            return False
        self._remember(old, new)
        new_parts = _parts(new)
        for name, ours in _parts(old).items():
            for part, instead in _align(ours, new_parts.get(name, [])):
                if instead is not None:
                    self.note(part, instead)
                elif id(part) not in self._new:
                    self._remember(part, None)
        return True

    def note_inner(self, old, new, is_own):
        """Functions inside of decorated ones are of the same name, too."""
        for ours, theirs in _inner_functions(old, new):
            if is_own(ours) and not self.knows(ours.__code__):
                if self.note(ours.__code__, theirs.__code__):
                    self.note_inner(ours, theirs, is_own)

    def note_merged(self, old, new):
        """The function ``old`` is about to take over what ``new`` is."""
        self.note(old.__code__, new.__code__)
        self._merged[id(old.__code__)] = old.__defaults__, old.__kwdefaults__, new

    def relink(self, function):
        """Has a function that old code has made run what stands for that. Returns
        False if nobody can say what that is."""
        code = function.__code__
        new = self._new.get(id(code), code)
        if new is code:
            return True
        # Its defaults and what it has taken from around it stay.
        if new is not None and _is_called_alike(new, code):
            function.__code__ = new
        elif (twin := self._twin(function)) is not None:
            function.__defaults__ = twin.__defaults__
            function.__kwdefaults__ = twin.__kwdefaults__
            function.__code__ = new
        else:
            return False
        return True

    def _remember(self, old, new):
        self._old.append(old)
        self._new[id(old)] = new

    def _twin(self, function):
        """What stands for one that is a function of the module once more, made by
        an earlier load and held by others since: it has its defaults, too."""
        defaults, keywords, new = self._merged.get(id(function.__code__), (None, None, None))
        if new is None or function.__code__.co_freevars != new.__code__.co_freevars:
            return None
        same = function.__defaults__ is defaults and function.__kwdefaults__ is keywords
        return new if same else None


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
    inner, other = _wrapped(old), _wrapped(new)
    ours, theirs = references.held_by(old), references.held_by(new)
    pairs = [(inner, other), (old, other), (inner, new)]
    pairs += [(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()]
    return [
        pair
        for pair in pairs
        if all(map(is_function, pair)) and pair[0] is not pair[1]
    ]


def _wrapped(value):
    """What a decorated function says that it was."""
    if is_function(value):
        return vars(value).get("__wrapped__")
    return inspect.getattr_static(value, "__wrapped__", None)
