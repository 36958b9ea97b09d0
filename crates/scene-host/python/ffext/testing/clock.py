"""The clocks of the module ``time``, which follow the scene's own time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: When scenes of tests begin: Unix seconds, 2026-01-01 in UTC.
BEGINNING = 1_767_225_600
#: What a monotonic clock shows then.
_UPTIME = 1_000_000


class Clock:
    """While it runs, ``time.time()`` and ``time.monotonic()`` tell the scene's time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._names = ("time", "time_ns", "monotonic", "monotonic_ns")
        self._real = {name: getattr(time, name) for name in self._names}

    def start(self) -> None:
        """Begins to tell the scene's time."""
        now = self._now
        setattr(time, "time", lambda: BEGINNING + now())
        setattr(time, "time_ns", lambda: int((BEGINNING + now()) * 1e9))
        setattr(time, "monotonic", lambda: _UPTIME + now())
        setattr(time, "monotonic_ns", lambda: int((_UPTIME + now()) * 1e9))

    def stop(self) -> None:
        """Back to the real ones."""
        for name, real in self._real.items():
            setattr(time, name, real)
