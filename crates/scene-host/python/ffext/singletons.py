"""One object a class, which lives as long as the scene."""

from .registry import registry

# Keyed by what the class is called and where: two classes of one name in two
# modules are two, and a class that was loaded again is still itself.
_objects = {}


def singleton(cls):
    """The one object of ``cls``, made when it is first asked for::

        class World:
            def __init__(self):
                self.players = {}

        def world():
            return ffext.singleton(World)

    It keeps its state when the script is loaded again, and so does what its
    constructor has started and registered: timers, tasks, handlers.
    """
    if not isinstance(cls, type):
        raise TypeError(f"singleton() takes a class, not {cls!r}")
    key = (cls.__module__, cls.__qualname__)
    try:
        return _objects[key]
    except KeyError:
        pass
    made = registry.unowned(cls)
    # Its own constructor may have asked for it.
    return _objects.setdefault(key, made)


def remember():
    """Which objects there are now, for :func:`restore`."""
    return dict(_objects)


def restore(remembered):
    """Forgets the objects that were made since."""
    _objects.clear()
    _objects.update(remembered)
