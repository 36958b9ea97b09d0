"""Databases: SQLite, MySQL or MariaDB, and PostgreSQL.

::

    db = ffext.ffdb_create('sqlite://world.db')

    @ffext.session_call(7)
    async def buy(session_id, message):
        async with db.transaction() as tx:
            await tx.fetch('UPDATE player SET gold = gold - ? WHERE id = ?', [5, session_id])
            await tx.fetch('INSERT INTO item (owner, kind) VALUES (?, ?)', [session_id, 'sword'])
        rows = await db.fetch('SELECT kind, COUNT(*) AS n FROM item WHERE owner = ? GROUP BY kind',
                              [session_id])
        ffext.send_msg_session(session_id, 7, {row['kind']: row['n'] for row in rows})

Values are bound to a statement's placeholders, never pasted into its text. The
placeholders are the database's own: ``?`` in SQLite and MySQL, ``$1``, ``$2`` in
PostgreSQL.

======================== ======================== ========================= =======================
Python                   SQLite                   MySQL, MariaDB            PostgreSQL
======================== ======================== ========================= =======================
``None``                 NULL                     NULL                      NULL
``bool``                 BOOLEAN                  BOOLEAN (TINYINT(1))      boolean
``int``                  INTEGER (to 2**63 - 1)   all of them               smallint to bigint, numeric
``float``                REAL                     FLOAT, DOUBLE             real, double precision
``str``                  TEXT                     CHAR to TEXT, ENUM, SET   text, varchar, enums
``bytes``                BLOB                     BINARY to BLOB            bytea
``decimal.Decimal``      in: text                 DECIMAL                   numeric
``datetime.date``        DATE                     DATE                      date
``datetime.time``        TIME                     in: TIME                  time
``datetime.timedelta``   none                     TIME                      interval (without months)
``datetime.datetime``    DATETIME, TIMESTAMP      DATETIME                  timestamp
``datetime.datetime``    as text, in UTC          TIMESTAMP                 timestamptz
with a time zone
``dict``, ``list``       in: text                 JSON (MariaDB: in)        json, jsonb
``uuid.UUID``            in: text                 in: text                  uuid
======================== ======================== ========================= =======================

*in* says that it may be bound, and comes back as ``str``. What is read with a time
zone is in UTC; what is bound with one is converted to UTC, and without one taken as
it is. SQLite's types are those that a column was declared with; a value that is not
of its column's type is read as it is stored. What a database has beyond these is
refused with what to write instead: ``CAST(… AS CHAR)``, ``(…)::text``.
"""

import _ffext

from .asks import tell
from .errors import NO_ERROR, CallError, ErrorText, as_text


class Rows(list):
    """The rows of a result: a list of :class:`Row`, with what else there is to say.

    A row is like a tuple, whose values are found by the names of the columns, too:
    ``row[0]``, ``row['name']``, ``id, name = row``, ``dict(row)``.
    """

    __slots__ = ("column", "affected", "last_id")

    def __init__(self, rows=(), column=(), affected=0, last_id=None):
        super().__init__(rows)
        #: The names of the columns, as a tuple; there are some without rows, too.
        self.column = column
        #: How many rows an ``INSERT``, ``UPDATE`` or ``DELETE`` has changed.
        self.affected = affected
        #: The id that the database has given to the row that was inserted last, or
        #: None. PostgreSQL does not say so by itself: write ``RETURNING id``.
        self.last_id = last_id


class Result:
    """How a statement went, as ``query()`` gives it. True if it was carried out."""

    __slots__ = ("flag", "result", "error")

    def __init__(self, flag, result, error=NO_ERROR):
        #: Whether it was carried out.
        self.flag = flag
        #: The rows, :class:`Rows`; none if it was not.
        self.result = result
        #: What went wrong: text with a ``.kind``, as ``DatabaseError`` has it; empty
        #: if nothing did.
        self.error = error

    def __bool__(self):
        return self.flag

    def __repr__(self):
        if not self.flag:
            return f"<Result {self.error.kind}: {self.error}>"
        return f"<Result of {len(self.result)} rows>"

    @property
    def column(self):
        """The names of the columns."""
        return self.result.column

    @property
    def affected(self):
        """How many rows were changed."""
        return self.result.affected

    @property
    def last_id(self):
        """The id of the row that was inserted last; see :class:`Rows`."""
        return self.result.last_id


class _Statements:
    """What carries out statements: a database, or a transaction."""

    __slots__ = ()

    def _run(self, sql, params, as_result=False):
        raise NotImplementedError

    def fetch(self, sql, params=None):
        """Carries out a statement: ``rows = await db.fetch('SELECT …', [1])``.

        ``params`` is a list or a tuple, with a value for each placeholder. Gives
        :class:`Rows`, which is empty for a statement that returns none. Raises
        ``DatabaseError`` when it was not carried out, and at once ``TypeError`` or
        ``ValueError`` for a value that no database has.
        """
        return self._run(sql, params)

    async def fetch_one(self, sql, params=None):
        """Carries out a statement and gives the first row, or None if there is none.

        Otherwise as ``fetch()``; it does not add a ``LIMIT`` to the statement.
        """
        rows = await self._run(sql, params)
        return rows[0] if rows else None

    def query(self, sql, params=None, callback=None):
        """Carries out a statement, and never raises what the database says.

        ``db.query(sql, params, callback)``, or ``db.query(sql, callback)`` without
        parameters, calls ``callback(result)`` later and returns None. Without a
        callback it is awaited, and gives that same result: :class:`Result`, with
        ``flag``, ``result`` (the rows), ``column`` and ``error``::

            def done(result):
                if not result.flag:
                    ffext.ERROR('db', result.error)
                    return
                for id, name in result.result:
                    …

            db.query('SELECT id, name FROM player', done)

        Statements that do not wait for each other may be carried out at the same
        time; with ``pool=1`` they are in the order in which they were asked for. An
        error that nobody looks at is told to nobody; of a ``fetch()`` it is logged.
        """
        if callback is None and callable(params):
            params, callback = None, params
        if callback is not None and not callable(callback):
            raise TypeError(f"a callback is a function, not {callback!r}")
        future = self._run(sql, params, True)
        if callback is None:
            return future
        future.add_done_callback(lambda done: tell(callback, _outcome(done)))
        return None


class Database(_Statements):
    """A database, as ``ffdb_create()`` opens it.

    Connections are made when they are needed, kept, tested before they are used
    again, and replaced when they have broken: a server that goes away costs errors
    of kind ``unavailable`` until it is back.
    """

    __slots__ = ("_native", "__weakref__")

    def __init__(self, native):
        self._native = native

    def __repr__(self):
        return f"<Database {self.url}>"

    @property
    def url(self):
        """Where it is, without the password."""
        return self._native.url()

    def _run(self, sql, params, as_result=False):
        return self._native.run(sql, params, as_result)

    def transaction(self, timeout=60):
        """Statements of which all are carried out, or none::

            async with db.transaction() as tx:
                await tx.fetch('UPDATE …')
                await tx.fetch('INSERT …')

        Leaving the block commits; an exception, and that the task is cancelled,
        rolls back. All of it has one connection. After ``timeout`` seconds it is
        rolled back, and what is asked of it then fails as ``deadline_exceeded``.
        ``DatabaseError`` of kind ``conflict``: another transaction was in the way,
        and all of this one is to be done again.

        SQLite has one writer at a time: a transaction there begins as one
        (``BEGIN IMMEDIATE``), and others wait. One in memory has one connection:
        within the block only ``tx`` is used.
        """
        return Transaction(self._native, timeout)

    def close(self):
        """Closes the connections; whatever is asked from then on, of whoever has
        opened the same URL, is ``unavailable``. A database that nobody uses any more
        is closed by itself, and so are all when the scene ends."""
        self._native.close()


class Transaction(_Statements):
    """Statements of which all are carried out, or none; see
    ``Database.transaction()``. ``fetch()``, ``fetch_one()`` and ``query()`` are as
    those of a database, one after the other."""

    __slots__ = ("_begin", "_native")

    def __init__(self, database, timeout):
        self._begin = lambda: database.begin(timeout)
        self._native = None

    def _run(self, sql, params, as_result=False):
        if self._native is None:
            raise RuntimeError("a transaction is used within: async with db.transaction() as tx")
        return self._native.run(sql, params, as_result)

    async def __aenter__(self):
        if self._begin is None:
            raise RuntimeError("a transaction is begun once: call db.transaction() again")
        begin, self._begin = self._begin, None
        self._native = await begin()
        return self

    async def __aexit__(self, kind, error, traceback):
        try:
            if kind is None:
                await self._native.commit()
            else:
                await self._native.roll_back()
        except CallError:
            # The error to be told is the one that has led here.
            if kind is None:
                raise
        finally:
            # It may have been given up, or never begun.
            self._native.let_go()


def ffdb_create(url, pool=10, timeout=10):
    """Opens a database; it connects when it is first used. Returns a
    :class:`~ffext.database.Database`.

    ================================================ ==================================
    ``sqlite://world.db``                            a file beside the script
    ``sqlite:///var/lib/game/world.db``              a file; ``?mode=ro`` only reads it
    ``sqlite::memory:``                              in memory, gone with its last user
    ``mysql://user:password@host:3306/name``         MySQL or MariaDB (``mariadb://``)
    ``mysql://host:3306/user/password/name``         the same
    ``postgres://user:password@host:5432/name``      PostgreSQL (``postgresql://``)
    ================================================ ==================================

    In a password ``@ / : ? %`` are written ``%40 %2F %3A %3F %25``, except in the
    form with slashes, where it stands as it is. ``?tls=off``, ``preferred`` (the
    default), ``required``, ``verify-ca`` or ``verify-full`` behind a server's URL
    says how the connection is encrypted, ``&tls_ca=/path/ca.pem`` whom to trust.

    ``pool`` is how many connections there may be, ``timeout`` how many seconds a
    statement may take, with the wait for a connection. At most 10,000 statements of
    a database wait at once, and a result has at most 32 MiB; more fail, as
    ``overloaded`` and ``too_large``.

    Whoever opens the same URL with the same settings again, as a script does that
    is loaded again, gets the same connections. Raises ``ValueError`` for a URL that
    cannot be read, without repeating it: it may hold a password.
    """
    if not isinstance(url, str):
        raise TypeError(f"ffdb_create() takes a URL, not a {type(url).__name__}")
    return Database(_ffext.open_database(url, pool, timeout))


def escape(text):
    """Makes a text safe to stand within quotes in a statement of MySQL.

    It is there for scripts that were written so. Bind parameters instead:
    ``db.query('SELECT * FROM player WHERE name = ?', [name], done)`` needs no
    escaping, is right in every database, and cannot be forgotten in one place.

    Quotes, backslashes, line ends and zero characters are escaped with a backslash,
    as MySQL reads it. SQLite and PostgreSQL do **not** read it so: there, only bind.
    """
    return str(text).translate(_ESCAPES)


_ESCAPES = str.maketrans(
    {
        "\0": "\\0",
        "\n": "\\n",
        "\r": "\\r",
        "\x1a": "\\Z",
        '"': '\\"',
        "'": "\\'",
        "\\": "\\\\",
    }
)


def _failed(kind, message):
    """A statement that was not carried out; called by the native half."""
    return Result(False, Rows(), ErrorText(message, kind))


def _outcome(done):
    if done.cancelled():
        return _failed("cancelled", "cancelled")
    error = done.exception()
    return done.result() if error is None else Result(False, Rows(), as_text(error))
