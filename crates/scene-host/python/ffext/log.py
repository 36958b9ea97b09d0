"""The daemon's log, for scripts: by name, through ``logging``, through ``print``."""

import io
import logging
import sys
import threading

import _ffext

TRACE, DEBUG, INFO, WARN, ERROR_LEVEL = 5, 10, 20, 30, 40

# A line that never ends is written out in pieces of this size.
LONGEST_LINE = 16 * 1024


def printable(text):
    """``text`` as the log can hold it: half of a surrogate pair is no Unicode."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _write(level, module, text):
    _ffext.log(level, printable(module), printable(text))


def LOGTRACE(module, text):
    """Writes ``text`` into the log, for those who follow every step::

        ffext.LOGTRACE('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write.
    """
    _write(TRACE, module, text)


def LOGDEBUG(module, text):
    """Writes ``text`` into the log, for those who look for a mistake::

        ffext.LOGDEBUG('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write.
    """
    _write(DEBUG, module, text)


def LOGINFO(module, text):
    """Writes ``text`` into the log::

        ffext.LOGINFO('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write.
    """
    _write(INFO, module, text)


def LOGWARN(module, text):
    """Writes ``text`` into the log as a warning::

        ffext.LOGWARN('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write.
    """
    _write(WARN, module, text)


def LOGERROR(module, text):
    """Writes ``text`` into the log as an error::

        ffext.LOGERROR('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write.
    """
    _write(ERROR_LEVEL, module, text)


def LOGFATAL(module, text):
    """Writes ``text`` into the log as an error::

        ffext.LOGFATAL('guild', f'{session_id} has joined')

    ``module`` says what it is about. Any thread may write. The
    scene goes on.
    """
    _write(ERROR_LEVEL, module, text)


def ERROR(*parts):
    """Writes its arguments into the log as one error::

        ffext.ERROR('no such item', item_id)

    They may be of any type.
    """
    _write(ERROR_LEVEL, "script", " ".join(str(part) for part in parts))


def dump_stdout_to_log():
    """Does nothing: what a scene prints is in the log already."""


class LogStream(io.TextIOBase):
    """Stands in for stdout or stderr: each line becomes an entry of the log."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name, level):
        self.name = name
        self._level = level
        # What each thread has begun: lines of several do not mix.
        self._begun = threading.local()

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        *lines, rest = (self._take_rest() + text).split("\n")
        for line in lines:
            self._log(line)
        self._begun.rest = rest
        if len(rest) > LONGEST_LINE:
            self.flush()
        return len(text)

    def flush(self):
        self._log(self._take_rest())

    def _take_rest(self):
        rest = getattr(self._begun, "rest", "")
        self._begun.rest = ""
        return rest

    def _log(self, line):
        if line := line.rstrip():
            _write(self._level, self.name, line)


class LogHandler(logging.Handler):
    """Hands the records of ``logging`` to the log."""

    def emit(self, record):
        try:
            _write(record.levelno, record.name, self.format(record))
        except Exception:
            self.handleError(record)


def install():
    """Sends everything that is printed or logged from now on into the log."""
    sys.stdout = LogStream("stdout", INFO)
    sys.stderr = LogStream("stderr", WARN)
    logging.addLevelName(TRACE, "TRACE")
    logging.root.handlers[:] = [LogHandler()]
    # What the log would drop is not even formatted.
    logging.root.setLevel(_ffext.log_level())
    logging.captureWarnings(True)
