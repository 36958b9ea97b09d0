"""JSON as the host writes and reads it: what it refuses, this refuses."""

import json
import math
import re

# How many containers may stand in one another.
MAX_DEPTH = 127

_COLLECTIONS = (set, frozenset, type({}.keys()), type({}.values()), type({}.items()))
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class _Wrong(Exception):
    """Why a value has no form in JSON, and where in it."""

    def __init__(self, reason, path=()):
        super().__init__(reason)
        self.path = path

    def inside(self, place):
        return _Wrong(str(self), (place, *self.path))

    def __str__(self):
        return self.args[0]


def has_form(value):
    """Whether a value is of a type that JSON has a form for."""
    return value is None or isinstance(value, (str, dict, list, int, tuple, float, *_COLLECTIONS))


def encode(value):
    """The JSON text of a value, as bytes; ``TypeError`` if it has none."""
    out = []
    try:
        _write(value, out, 0)
        return "".join(out).encode()
    except _Wrong as wrong:
        place = f"at {''.join(wrong.path)}: " if wrong.path else ""
        raise TypeError(f"cannot be sent as JSON: {place}{wrong}") from None


def _write(value, out, depth):
    if isinstance(value, str):
        out.append(_text(value))
    elif value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, int):
        out.append(_whole(value))
    elif isinstance(value, dict):
        _write_dict(value, out, depth)
    elif isinstance(value, (list, tuple, *_COLLECTIONS)):
        _write_items(value, out, depth)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _Wrong(f"{_special(value)} is no number to JSON")
        out.append(float.__repr__(value))
    else:
        raise _Wrong(_describe(value))


def _text(value):
    if _HALF_A_PAIR.search(value):
        raise _Wrong("a text that is no Unicode: half of a surrogate pair")
    return json.dumps(str(value), ensure_ascii=False)


def _whole(value):
    if not -(1 << 63) <= value < 1 << 64:
        raise _Wrong("a whole number that does not fit 64 bits")
    return int.__repr__(value)


def _special(value):
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _check_depth(depth):
    if depth >= MAX_DEPTH:
        raise _Wrong(f"more than {MAX_DEPTH} containers stand in one another, or one in itself")


def _write_items(items, out, depth):
    _check_depth(depth)
    out.append("[")
    for place, item in enumerate(items):
        if place:
            out.append(",")
        try:
            _write(item, out, depth + 1)
        except _Wrong as wrong:
            raise wrong.inside(f"[{place}]") from None
    out.append("]")


def _write_dict(items, out, depth):
    _check_depth(depth)
    out.append("{")
    for place, (key, value) in enumerate(items.items()):
        if place:
            out.append(",")
        _write_key(key, out)
        out.append(":")
        try:
            _write(value, out, depth + 1)
        except _Wrong as wrong:
            raise wrong.inside(f"[{repr(key)[:40]}]") from None
    out.append("}")


def _write_key(key, out):
    if isinstance(key, str):
        out.append(_text(key))
    elif key is None or isinstance(key, (bool, int, float)):
        out.append('"')
        _write(key, out, 0)
        out.append('"')
    else:
        raise _Wrong(f"a key is text or a number, not {type(key).__qualname__}")


def _describe(value):
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, (bytes, bytearray)):
        return f"{name} inside of a value; bytes are sent as they are, and alone"
    if hasattr(kind, "SerializeToString") or hasattr(kind, "thrift_spec"):
        return f"a {name} inside of a value; messages of thrift and protobuf are sent alone"
    if hasattr(kind, "__next__"):
        return f"a value of type {name}; make a list of it first"
    return (
        f"a value of type {name}; JSON has dict, list, tuple, set, str, int, float, bool "
        "and None, and bytes and messages of thrift and protobuf are sent as they are"
    )


def decode(text):
    """The value of a JSON text, which is bytes; ``ValueError`` if it is none."""
    try:
        value = json.loads(
            text.decode("utf-8"),
            parse_int=_read_whole,
            parse_float=_read_float,
            parse_constant=_no_constant,
        )
        _check(value, 0)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    return value


def _read_whole(digits):
    if digits == "-0":
        return -0.0
    # Python would not read more than 4,300 of them.
    value = int(digits) if len(digits) < 25 else None
    if value is None or not -(1 << 63) <= value < 1 << 64:
        return _read_float(digits)
    return value


def _read_float(digits):
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _no_constant(name):
    raise ValueError(f"expected value, found {name}")


def _check(value, depth):
    """Fails for what json takes and the host does not."""
    if isinstance(value, str):
        if _HALF_A_PAIR.search(value):
            raise ValueError("half of a surrogate pair")
    elif isinstance(value, (list, dict)):
        if depth >= MAX_DEPTH:
            raise ValueError("recursion limit exceeded")
        for item in value:
            _check(item, depth + 1)
        if isinstance(value, dict):
            for item in value.values():
                _check(item, depth + 1)
