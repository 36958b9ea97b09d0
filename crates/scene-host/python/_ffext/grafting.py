"""Gives a function another's code, names and closure, with ctypes."""

import ctypes
import types


def _offset(of):
    """Where a function object keeps what no attribute can change."""

    def probe():
        return of

    wanted = id(probe.__globals__), id(probe.__closure__)
    size = types.FunctionType.__basicsize__
    word = ctypes.sizeof(ctypes.c_void_p)
    found = [None, None]
    for place in range(2 * word, size, word):
        value = ctypes.c_void_p.from_address(id(probe) + place).value
        for kind, address in enumerate(wanted):
            if value == address and found[kind] is None:
                found[kind] = place
    return found


_GLOBALS, _CLOSURE = _offset(None)


def _store(function, offset, value):
    slot = ctypes.c_void_p.from_address(id(function) + offset)
    if value is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    slot.value = None if value is None else id(value)


def graft(function, code, names, closure):
    """From now on ``function`` runs ``code`` with these names and this closure."""
    if _GLOBALS is None or _CLOSURE is None:
        raise RuntimeError("this Python is not one that scripts can be loaded again in")
    before = function.__closure__
    # The names that it had are never let go: a frame may still use them.
    _store(function, _GLOBALS, names)
    _store(function, _CLOSURE, closure)
    function.__code__ = code
    if before is not None:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(before))
