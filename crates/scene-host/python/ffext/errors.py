"""What goes wrong beyond the script, as scripts see it."""


class CallError(Exception):
    """A call that has not been answered as it should.

    ``kind`` says what went wrong, as text:

    ==================== ====================================================
    ``not_found``         no node of that name is in the group; or no bridge joins
                          that other group, or nobody there serves the command
    ``unimplemented``     the node does not serve that command
    ``handler``           the function that serves it has failed
    ``unavailable``       the node went while it was called, or no broker is left,
                          or the other group cannot be reached
    ``deadline_exceeded`` there was no answer in time
    ``overloaded``        too much waits already, here or on the way
    ``too_large``         the message, or the answer, does not fit (1 MiB)
    ``forbidden``         the other group does not let this be called
    ==================== ====================================================
    """

    def __init__(self, kind, message):
        super().__init__(message)
        #: What went wrong.
        self.kind = kind

    @property
    def message(self):
        """What went wrong, for people."""
        return self.args[0]


class DatabaseError(CallError):
    """A statement that a database has not carried out.

    ``kind`` says what can be done about it, as text; the message is the database's
    own where it has said something:

    ==================== ====================================================
    ``unavailable``       it cannot be reached, or the connection broke: the
                          statement may have been carried out, or not
    ``deadline_exceeded`` there was no connection, or no result, in time
    ``overloaded``        too many statements wait already
    ``too_large``         the result is too large: ask for less
    ``refused``           it does not carry out such a statement, or it was given
                          values that are not what the statement takes
    ``constraint``        a key that is there already, a reference to nothing, a
                          value that is missing
    ``conflict``          another transaction was in the way: do it all again
    ==================== ====================================================
    """


class ErrorText(str):
    """An error as callbacks get it::

        def told(error, answer):
            if error:
                ffext.LOGWARN('shop', f'{error.kind}: {error}')

    It is text that is empty where nothing went wrong, and that has the ``kind`` of
    :class:`CallError`, empty as well.
    """

    __slots__ = ("kind",)

    def __new__(cls, text="", kind=""):
        self = super().__new__(cls, text)
        self.kind = kind
        return self


NO_ERROR = ErrorText()


def as_text(error):
    """An exception as callbacks get it."""
    text = str(error) or type(error).__name__
    return ErrorText(text, getattr(error, "kind", "handler"))
