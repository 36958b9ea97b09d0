"""Replaces a class under its objects."""

import enum
import types

from . import references

# What belongs to the class object itself and is never copied.
_skipped = frozenset(("__dict__", "__weakref__", "__module__", "__slots__", "_abc_impl"))


class Definitions:
    """What the run of a source has defined, before anybody else adds to it."""

    def __init__(self, module, names):
        self.names = frozenset(names)
        self._members = {}
        self._add_classes(module, list(names.values()), set())

    def members_of(self, cls):
        """The names of the members of a class; None if it is not known."""
        return self._members.get(cls.__qualname__)

    def _add_classes(self, module, values, seen):
        for cls in values:
            if not references.is_class(cls) or id(cls) in seen:
                continue
            seen.add(id(cls))
            members = dict(vars(cls))
            if members.get("__module__") == module:
                self._members.setdefault(cls.__qualname__, set()).update(members)
                self._add_classes(module, members.values(), seen)


def is_definition(module, cls, name, value):
    """Whether a member looks like what a source defines, and not like what is set
    while the script runs."""
    if references.is_function(value) or references.is_class(value):
        return module.is_own(value)
    if issubclass(type(value), (staticmethod, classmethod, property)):
        return True
    return issubclass(cls, enum.Enum) or (name.startswith("__") and name.endswith("__"))


def merge(module, old, new):
    """Lets ``old`` take over what ``new`` is; returns the class to use from now
    on. Where Python does not let it, the new class is used and the live objects
    are moved to it; where it does not allow that either, they are kept."""
    if _can_change(module, old, new):
        # Before the members: they may refer to it.
        module.merge.pair(new, old)
        _change(module, old, new)
        return old
    _hand_on(module, old, new)
    if _move_objects(old, new):
        _share_members(module, old, new)
        module.merge.pair(old, new)
    else:
        module.merge.keep(f"{old.__qualname__} (live objects keep the old class)")
    return new


def rebase(merge):
    """Subclasses of what is gone become subclasses of what stands for it: those
    that are new in this source, and those of other modules."""
    for gone, _ in list(merge.pairs):
        if references.is_class(gone):
            for subclass in type.__subclasses__(gone):
                if merge.current(subclass) is subclass:
                    _set_bases(merge, subclass)


def _can_change(module, old, new):
    """Gives ``old`` the bases of ``new``, if it has the same shape."""
    if module.merge.current(type(new)) is not type(old):
        return False
    if _layout(old) != _layout(new):
        return False
    bases = tuple(module.merge.current(base) for base in new.__bases__)
    if bases != old.__bases__:
        try:
            old.__bases__ = bases
        except TypeError:
            return False
    return True


def _layout(cls):
    members = [
        name
        for name, value in vars(cls).items()
        if isinstance(value, types.MemberDescriptorType)
    ]
    return (
        sorted(members),
        "__slots__" in vars(cls),
        cls.__basicsize__,
        cls.__itemsize__,
        cls.__dictoffset__,
    )


def _change(module, old, new):
    """Makes the members of ``old`` those of ``new``."""
    before, after = dict(vars(old)), dict(vars(new))
    if issubclass(old, enum.Enum):
        _pair_members(module, old, new)
    for name, value in after.items():
        if _stays(name, value):
            continue
        merged = module.merge_value(before[name], value) if name in before else value
        if name in before and merged is before[name]:
            continue
        _set(module, old, name, module.merge.current(merged))
    for name, value in before.items():
        if name in after or _stays(name, value):
            continue
        if module.was_defined(old, name, value):
            _delete(module, old, name)


def _stays(name, value):
    return name in _skipped or isinstance(
        value, (types.MemberDescriptorType, types.GetSetDescriptorType)
    )


def _set(module, cls, name, value):
    try:
        # Past the metaclass, which may forbid it, as that of Enum does.
        type.__setattr__(cls, name, value)
        named = getattr(type(value), "__set_name__", None)
        if named is not None:
            named(value, cls, name)
    except Exception:
        module.merge.keep(f"{cls.__qualname__}.{name}")


def _delete(module, cls, name):
    try:
        type.__delattr__(cls, name)
    except Exception:
        module.merge.keep(f"{cls.__qualname__}.{name}")


def _set_bases(merge, cls):
    bases = tuple(merge.current(base) for base in cls.__bases__)
    if bases == cls.__bases__:
        return
    try:
        cls.__bases__ = bases
    except TypeError:
        merge.keep(f"{cls.__qualname__} (its base class was replaced)")


def _pair_members(module, old, new):
    """Members of an enumeration that have not changed stay who they are."""
    for name, member in new.__members__.items():
        before = old.__members__.get(name)
        if before is None or module.merge.current(member) is not member:
            continue
        if type(before._value_) is type(member._value_) and before._value_ == member._value_:
            module.merge.pair(member, before)
        else:
            module.merge.keep(f"{old.__qualname__}.{name} (its value changed)")
    if issubclass(old, enum.Flag):
        # Combinations that were made on the way.
        for value, member in list(old._value2member_map_.items()):
            new._value2member_map_.setdefault(value, member)


def _move_objects(old, new):
    """Makes the objects of ``old`` objects of ``new``; False if that is impossible."""
    moved = []
    for found in references.objects_of(old):
        try:
            references.set_class(found, new)
            moved.append(found)
        except TypeError:
            for one in moved:
                references.set_class(one, old)
            return False
    return True


def _hand_on(module, old, new):
    """What was set on ``old`` while the script ran is set on ``new``, too."""
    for name, value in dict(vars(old)).items():
        if name in vars(new) or _stays(name, value):
            continue
        if not module.was_defined(old, name, value):
            _set(module, new, name, value)


def _share_members(module, old, new):
    """Functions of ``old`` that somebody holds, such as in a bound method, run
    the code of ``new``, and ``new`` has the same functions."""
    before = vars(old)
    for name, value in dict(vars(new)).items():
        if name in before and not _stays(name, value):
            merged = module.merge_value(before[name], value)
            if merged is not value:
                _set(module, new, name, merged)
