"""Values on their way into SQLite and out of it, as the host has them."""

from __future__ import annotations

import datetime
import decimal
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

from _ffext import json_text


def read_parameters(parameters: Any) -> list[Any]:
    """The values of a list or a tuple; None is an empty one."""
    if parameters is None:
        return []
    if not isinstance(parameters, (list, tuple)):
        raise TypeError(f"parameters are a list or a tuple, not {type(parameters).__qualname__}")
    return [_read(value, number) for number, value in enumerate(parameters, 1)]


def _read(value: Any, number: int) -> Any:
    if isinstance(value, str):
        value.encode()
        return str(value)
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        # Of what SQLite has no number, an exact one: text.
        return int(value) if -(1 << 63) <= value < 1 << 64 else str(int(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, datetime.datetime):
        return _moment(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (dict, list, tuple)):
        return json_text.encode(value).decode()
    if isinstance(value, datetime.time):
        if value.tzinfo is not None:
            raise ValueError(
                f"parameter {number}: a time of a day has no time zone in a database"
            )
        return value.isoformat()
    if isinstance(value, (datetime.timedelta, uuid.UUID)):
        return value if isinstance(value, datetime.timedelta) else str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f") if abs(value.adjusted()) <= 500 else str(value)
    raise TypeError(
        f"parameter {number}: a value of type {type(value).__qualname__} cannot be bound; there "
        "are None, bool, int, float, str, bytes, Decimal, date, time, timedelta, datetime, UUID, "
        "and dict and list for JSON"
    )


def _moment(value: datetime.datetime) -> str:
    if value.utcoffset() is None:
        return value.isoformat(" ")
    return value.astimezone(datetime.timezone.utc).isoformat(" ")


def what_sqlite_lacks(parameters: list[Any]) -> str:
    """Why a parameter cannot be bound, or nothing."""
    for number, value in enumerate(parameters, 1):
        if isinstance(value, datetime.timedelta):
            return f"parameter {number}: SQLite has no durations: bind the seconds as a number"
        if isinstance(value, int) and value >= 1 << 63:
            return f"parameter {number}: SQLite has no whole numbers beyond 2**63 - 1: bind text"
    return ""


def _converter(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    def convert(stored: bytes) -> Any:
        text = stored.decode()
        try:
            return read(text)
        except ValueError:
            pass
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return text

    return convert


def _bool(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _datetime(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


#: By the first word of what a column was declared as.
CONVERTERS = {
    "BOOLEAN": _converter(_bool),
    "DATE": _converter(datetime.date.fromisoformat),
    "TIME": _converter(datetime.time.fromisoformat),
    "DATETIME": _converter(_datetime),
    "TIMESTAMP": _converter(_datetime),
}


class Row:
    """One row of a result, like a tuple whose values have names as well."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._values[key]
        if key not in self._names:
            raise KeyError(f"no column {key!r}; there are {self._names!r}")
        return self._values[self._names.index(key)]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        return iter(self._values)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def __eq__(self, other: object) -> bool:
        same = _like(other)
        return NotImplemented if same is None else self._values == same

    def __lt__(self, other: object) -> bool:
        same = _like(other)
        return NotImplemented if same is None else self._values < same

    def __gt__(self, other: object) -> bool:
        same = _like(other)
        return NotImplemented if same is None else self._values > same

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        parts = (f"{name}={value!r}" for name, value in zip(self._names, self._values))
        return f"<Row {' '.join(parts)}>"

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._names

    def values(self) -> tuple[Any, ...]:
        """The values."""
        return self._values

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column, or ``default`` if there is no such column."""
        return self[name] if name in self._names else default


def _like(other: object) -> tuple[Any, ...] | None:
    if isinstance(other, Row):
        return other._values
    return tuple(other) if isinstance(other, (tuple, list)) else None


def converters() -> dict[str, Any]:
    """Those of the module ``sqlite3``, which all of a process share."""
    found: dict[str, Any] = getattr(sqlite3, "converters")
    return found
