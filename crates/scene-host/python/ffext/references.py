"""Who holds what: the collector's view of objects."""

import collections
import functools
import gc
import sys
import types

# A tuple is replaced in what holds it, which may be a tuple again.
_rounds = 4

_suspended = {
    types.GeneratorType: "gi_frame",
    types.CoroutineType: "cr_frame",
    types.AsyncGeneratorType: "ag_frame",
}


# Some objects, such as proxies, lie about their class or fail when asked for it:
# only their type is asked.


def is_function(value):
    """Whether this is a function written in Python."""
    return type(value) is types.FunctionType


def is_class(value):
    """Whether this is a class."""
    return issubclass(type(value), type)


def set_class(value, cls):
    """Makes an object one of another class.

    Raises TypeError where Python does not allow it.
    """
    # Past what the object itself may say about its class.
    object.__dict__["__class__"].__set__(value, cls)


def functions_of(namespaces):
    """The functions, wherever they are, whose global names are one of these."""
    ids = {id(names) for names in namespaces}
    return [
        holder
        for holder in gc.get_referrers(*namespaces)
        if is_function(holder) and id(holder.__globals__) in ids
    ]


def objects_of(cls):
    """The objects of exactly this class."""
    return [holder for holder in gc.get_referrers(cls) if type(holder) is cls]


def cells_of(function):
    """What a function has taken from around it, by name."""
    if not is_function(function):
        return {}
    names = function.__code__.co_freevars
    cells = zip(names, function.__closure__ or ())
    return {name: cell.cell_contents for name, cell in cells if not _is_empty(cell)}


def held_by(value):
    """What a function has taken from around it, or what another object has as
    attributes, such as one that stands for the function that it decorates."""
    if is_function(value):
        return cells_of(value)
    if issubclass(type(value), functools.partial):
        return {"func": value.func}
    if is_class(value) or issubclass(type(value), types.ModuleType):
        return {}
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return dict(attributes) if type(attributes) is dict else {}


def running_in(names, created):
    """What is suspended, or runs in another thread, with these global names."""
    frames = [
        getattr(made, _suspended[type(made)]) for made in created if type(made) in _suspended
    ]
    for frame in sys._current_frames().values():
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
    found = [
        frame.f_code.co_qualname
        for frame in frames
        if frame is not None and frame.f_globals is names
    ]
    return list(dict.fromkeys(found))


def replace(pairs, created, namespaces):
    """For each pair of (gone, instead): who holds the one holds the other.

    Functions are replaced in what is in ``created`` only, which spares looking
    at everything for each: elsewhere both of a pair do the same. Reaches what
    can be changed: dicts, lists, deques, sets, attributes, cells, partials, the
    defaults of functions, and tuples in these. ``namespaces`` are dicts that are
    about to go, and that hold what is gone.
    """
    if not pairs:
        return
    made = [*created, *namespaces]
    instead = {id(gone): new for gone, new in pairs}
    ours = {id(pairs), id(created), id(made)} | {id(pair) for pair in pairs}
    tuples = _replace_all(_holders(pairs, made), instead, ours | _insides(pairs))
    for _ in range(_rounds):
        if not tuples:
            return
        # What the tuples are in; each is in the list of pairs, too.
        instead = {id(gone): new for gone, new in tuples}
        ours = {id(tuples), id(created), id(made)} | {id(pair) for pair in tuples}
        tuples = _replace_all(_holders(tuples, made), instead, ours)


# Who holds an object while it is asked how many do: a pair, a list of pairs' first
# halves, the variable of a loop, and the question.
_known = 4


def _holders(pairs, made):
    """Who holds what is gone, the first of each pair.

    To ask the collector for it is to look at everything there is once for each
    that is gone: tens of milliseconds. Nearly always only what has been ``made``
    by the same run holds it, and as many as hold it are found there; of functions
    nobody else matters.
    """
    gone = [one for one, _ in pairs]
    counts = dict.fromkeys(map(id, gone), 0)
    found = []
    for one in made:
        held = [id(held) for held in gc.get_referents(one) if id(held) in counts]
        for key in held:
            counts[key] += 1
        if held:
            found.append(one)
        if id(one) in counts:
            # Both lists of what was made, and that of the holders.
            counts[id(one)] += 3 if held else 2
    del one
    elsewhere = []
    for one in gone:
        if not is_function(one) and sys.getrefcount(one) - _known > counts[id(one)]:
            elsewhere.append(one)
    if elsewhere:
        found += gc.get_referrers(*elsewhere)
        found = [holder for holder in found if holder is not gone and holder is not elsewhere]
    return found


def _insides(pairs):
    """What classes are made of: the bases of those that derive from what is gone,
    which are replaced elsewhere, and the members of what is gone itself."""
    found = set()
    for gone, _ in pairs:
        if is_class(gone):
            for cls in (gone, *type.__subclasses__(gone)):
                found |= {id(cls.__bases__), id(cls.__mro__)}
            found |= {id(inside) for inside in gc.get_referents(gone) if type(inside) is dict}
    return found


def _replace_all(holders, instead, ours):
    """Replaces in each holder; returns pairs of tuples to be replaced in turn."""
    tuples = []
    for holder in {id(holder): holder for holder in holders}.values():
        if id(holder) in ours or type(holder) is types.FrameType:
            continue
        if type(holder) is tuple:
            new = tuple(instead.get(id(item), item) for item in holder)
            tuples.append((holder, new))
            continue
        try:
            _replace_in(holder, instead)
        except Exception:
            # It does not let itself be changed, and keeps what it holds.
            continue
    return tuples


def _replace_in(holder, instead):
    if isinstance(holder, dict):
        _replace_in_dict(holder, instead)
    elif isinstance(holder, (list, collections.deque)):
        for place, item in enumerate(holder):
            if id(item) in instead:
                holder[place] = instead[id(item)]
    elif isinstance(holder, set):
        for item in [item for item in holder if id(item) in instead]:
            holder.discard(item)
            holder.add(instead[id(item)])
    elif isinstance(holder, types.CellType):
        if not _is_empty(holder) and id(holder.cell_contents) in instead:
            holder.cell_contents = instead[id(holder.cell_contents)]
    elif is_function(holder):
        _replace_defaults(holder, instead)
    elif isinstance(holder, functools.partial):
        function, arguments, keywords, attributes = holder.__reduce__()[2]
        parts = (function, arguments, keywords)
        holder.__setstate__((*(instead.get(id(part), part) for part in parts), attributes))
    elif not isinstance(holder, (type, types.ModuleType)):
        _replace_in_object(holder, instead)


def _replace_in_dict(holder, instead):
    cls = _class_of_dict(holder)
    for key, value in list(holder.items()):
        if id(value) in instead:
            if cls is not None:
                # Through the class, which remembers what it has looked up.
                type.__setattr__(cls, key, instead[id(value)])
            else:
                holder[key] = instead[id(value)]
    if any(id(key) in instead for key in holder):
        items = [(instead.get(id(key), key), value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)


def _replace_defaults(function, instead):
    defaults = function.__defaults__
    if defaults is not None and id(defaults) in instead:
        function.__defaults__ = instead[id(defaults)]


def _replace_in_object(holder, instead):
    attributes = getattr(holder, "__dict__", None)
    if type(attributes) is dict:
        _replace_in_dict(attributes, instead)
    for cls in type(holder).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, types.MemberDescriptorType):
                value = getattr(holder, name, None)
                if id(value) in instead:
                    member.__set__(holder, instead[id(value)])


def _class_of_dict(names):
    """The class whose members these are, if they are a class's."""
    if "__module__" not in names or "__doc__" not in names:
        return None
    for holder in gc.get_referrers(names):
        if is_class(holder) and vars(holder) == names:
            return holder
    return None


def _is_empty(cell):
    try:
        cell.cell_contents
    except ValueError:
        return True
    return False
