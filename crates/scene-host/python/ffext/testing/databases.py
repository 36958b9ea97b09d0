"""Databases of scripts, in tests: SQLite, whatever the script wants."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import _ffext

from .values import CONVERTERS, Row, converters, read_parameters, what_sqlite_lacks

#: How long a lock is waited for, in seconds, and how often it is asked for.
_PATIENCE, _PAUSE = 5.0, 0.01


class Databases:
    """Which databases a test lets its script have, and those that are open. They
    outlive reloads and restarts of the scene, and are gone when its test ends."""

    def __init__(self, instead: dict[str, str], folder: Path) -> None:
        self._instead = instead
        self._folder = folder
        self._temporary = tempfile.TemporaryDirectory(prefix="ffext-testing-")
        self._files: dict[str, str] = {}
        self._open: dict[tuple[str, int, float], NativeDatabase] = {}
        self._converters: dict[str, Any] = {}

    def begin(self) -> None:
        """The scene begins."""
        self._converters = dict(converters())
        converters().update(CONVERTERS)

    def end(self) -> None:
        """The scene ends, and may begin again."""
        for database in self._open.values():
            database.disconnect()
        self._open.clear()
        converters().clear()
        converters().update(self._converters)

    def forget(self) -> None:
        """The test ends, and all databases with it."""
        self._temporary.cleanup()

    def open(self, url: str, pool: int, timeout: float) -> NativeDatabase:
        """The database of a URL."""
        if isinstance(pool, bool) or not 1 <= pool <= 1000:
            raise ValueError("pool is a number from 1 to 1000")
        if not 0 < timeout <= 31_536_000:
            raise ValueError(f"timeout is seconds, more than 0, not {timeout}")
        key = (url, pool, float(timeout))
        if key not in self._open:
            self._open[key] = NativeDatabase(self._place(url), _without_password(url), timeout)
        return self._open[key]

    def _place(self, url: str) -> str:
        kind = url.partition(":")[0].lower()
        if kind == "sqlite":
            given = self._instead.get(url)
            return self._file(url if given is None else given, given is not None)
        if kind not in ("mysql", "mariadb", "postgres", "postgresql"):
            raise ValueError(
                "a database's URL begins with sqlite://, mysql://, mariadb:// or postgres://, as in "
                "mysql://user:password@host:3306/name"
            )
        given = self._instead.get(url, self._instead.get(kind))
        if given is None:
            raise ValueError(
                f"a test has no server of {kind}; to have SQLite stand in for it, write "
                f"Scene(…, databases={{'{kind}': 'sqlite::memory:'}})"
            )
        return self._file(given, True)

    def _file(self, url: str, is_given: bool) -> str:
        """Where an SQLite database is. A file is a new one, unless the test names it."""
        path = re.sub(r"^sqlite:(//)?", "", url).partition("?")[0]
        if not url.startswith("sqlite:") or not path:
            raise ValueError("no file: write sqlite://path/of/file.db or sqlite::memory:")
        if path == ":memory:":
            return path
        if is_given:
            return str(self._folder / path)
        number = len(self._files)
        return self._files.setdefault(path, f"{self._temporary.name}/{number}.db")


class NativeDatabase:
    """Behind ``ffext.database.Database``."""

    def __init__(self, path: str, url: str, timeout: float) -> None:
        self._path = path
        self._url = url
        self._timeout = timeout
        self._turn = asyncio.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    def url(self) -> str:
        """Without the password."""
        return self._url

    def run(self, sql: str, parameters: Any, as_result: bool) -> asyncio.Future[Any]:
        """Carries out a statement."""
        values = read_parameters(parameters)

        async def run() -> Any:
            async with self._turn:
                return await execute(self.connection(), sql, values)

        work = self._within(run(), self._timeout, "the statement took too long")
        return _ask(_as_result(work) if as_result else work)

    def begin(self, limit: float) -> asyncio.Future[Any]:
        """Begins a transaction."""

        async def begin() -> NativeTransaction:
            if self._path == ":memory:":
                await self._turn.acquire()
                transaction = NativeTransaction(self.connection(), limit, self._turn.release)
            else:
                connection = self._connect()
                transaction = NativeTransaction(connection, limit, connection.close)
            try:
                await execute(transaction.connection, "BEGIN IMMEDIATE", [])
            except BaseException:
                transaction.end()
                raise
            return transaction

        return _ask(self._within(begin(), self._timeout, "there was no connection in time"))

    def close(self) -> None:
        """Closes it for everybody."""
        self._is_closed = True
        self.disconnect()

    def disconnect(self) -> None:
        """Lets the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def connection(self) -> sqlite3.Connection:
        """The one that single statements have."""
        if self._is_closed:
            raise database_error("unavailable", "the database was closed")
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        if self._is_closed:
            raise database_error("unavailable", "the database was closed")
        try:
            connection = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES
            )
            connection.execute("PRAGMA foreign_keys = ON")
            if self._path != ":memory:":
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")
        except sqlite3.Error as error:
            raise database_error("unavailable", f"cannot open {self._path}: {error}") from None
        return connection

    async def _within(self, work: Coroutine[Any, Any, Any], limit: float, what: str) -> Any:
        try:
            return await asyncio.wait_for(work, limit)
        except TimeoutError:
            raise database_error("deadline_exceeded", what) from None


class NativeTransaction:
    """Behind ``ffext.database.Transaction``."""

    def __init__(self, connection: sqlite3.Connection, limit: float, release: Any) -> None:
        self.connection = connection
        self._release = release
        self._turn = asyncio.Lock()
        self._why = ""
        self._limit = asyncio.get_running_loop().call_later(limit, self._expire)

    def run(self, sql: str, parameters: Any, as_result: bool) -> asyncio.Future[Any]:
        """Carries out a statement."""
        values = read_parameters(parameters)

        async def run() -> Any:
            async with self._turn:
                self._check()
                if re.match(r"\s*(COMMIT|END|ROLLBACK|BEGIN)\b(?!\s+TO)", sql, re.IGNORECASE):
                    raise database_error(
                        "refused",
                        "a transaction is committed by leaving its block, and rolled back by an "
                        "exception",
                    )
                return await execute(self.connection, sql, values)

        return _ask(_as_result(run()) if as_result else run())

    def commit(self) -> asyncio.Future[Any]:
        """Commits it."""

        async def commit() -> None:
            async with self._turn:
                self._check()
                try:
                    await execute(self.connection, "COMMIT", [])
                finally:
                    self.end()

        return _ask(commit())

    def roll_back(self) -> asyncio.Future[Any]:
        """Rolls it back."""

        async def roll_back() -> None:
            self.end()

        return _ask(roll_back())

    def let_go(self) -> None:
        """Rolls it back, if it has not ended."""
        self.end()

    def end(self, why: str = "the transaction has ended") -> None:
        """It is over; what was not committed is undone."""
        self._limit.cancel()
        if not self._why:
            self._why = why
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._release()

    def _expire(self) -> None:
        self.end("the transaction took too long, and was rolled back")

    def _check(self) -> None:
        if self._why:
            kind = "deadline_exceeded" if "too long" in self._why else "refused"
            raise database_error(kind, self._why)


async def execute(connection: sqlite3.Connection, sql: str, values: list[Any]) -> Any:
    """Carries out a statement; while others have a lock, it waits."""
    if not isinstance(sql, str):
        raise TypeError(f"a statement is a str, not {type(sql).__qualname__}")
    if lacking := what_sqlite_lacks(values):
        raise database_error("refused", lacking)
    # PostgreSQL's placeholders.
    sql = re.sub(r"\$(\d+)", r"?\1", sql)
    waited = 0.0
    while True:
        try:
            return _execute(connection, sql, values)
        except sqlite3.OperationalError as error:
            kind = _kind(error)
            if kind != "conflict" or waited >= _PATIENCE:
                raise database_error(kind, str(error)) from None
        except sqlite3.ProgrammingError as error:
            match = re.search(r"uses (\d+), and there are (\d+) supplied", str(error))
            text = str(error)
            if match:
                text = (
                    f"the statement has {match[1]} placeholders (?) and was given {match[2]} "
                    "parameters"
                )
            raise database_error("refused", text) from None
        except sqlite3.Error as error:
            raise database_error(_kind(error), str(error)) from None
        await asyncio.sleep(_PAUSE)
        waited += _PAUSE


def _execute(connection: sqlite3.Connection, sql: str, values: list[Any]) -> Any:
    from ffext.database import Rows

    cursor = connection.execute(sql, values)
    names = tuple(column[0] for column in cursor.description or ())
    rows = [Row(names, values) for values in cursor.fetchall()]
    last_id = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return Rows(rows, names, max(cursor.rowcount, 0), last_id or None)


def _kind(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 1) & 0xFF
    kinds = {5: "conflict", 6: "conflict", 9: "deadline_exceeded", 18: "too_large", 19: "constraint"}
    if code in (7, 10, 11, 13, 14, 26):
        return "unavailable"
    return kinds.get(code, "refused")


def _ask(work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = _ffext.current().asks.ask(work)
    return future


async def _as_result(work: Coroutine[Any, Any, Any]) -> Any:
    """How a statement went, whether it was carried out or not."""
    from ffext import DatabaseError
    from ffext.database import Result, Rows
    from ffext.errors import as_text

    try:
        return Result(True, await work)
    except DatabaseError as error:
        return Result(False, Rows(), as_text(error))


def _without_password(url: str) -> str:
    return re.sub(r"(//[^/@:]*):[^@/]*@", r"\1@", url)


def database_error(kind: str, message: str) -> Exception:
    """What a statement fails with."""
    from ffext import DatabaseError

    return DatabaseError(kind, message)
