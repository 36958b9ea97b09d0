"""An event loop whose time passes when a test says so."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

#: So many turns at one moment, and the script is taken to go round in circles.
_TURNS = 100_000
#: Real seconds that threads and sockets of a script may take.
_PATIENCE = 10.0


class Restless(AssertionError):
    """A script that never comes to rest."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: where the event loop would, its time is set forward, or
    the loop is stopped because there is nothing to do."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            self.loop._turn()
            return events
        if self.loop._outside:
            # A thread is at work, and will wake us.
            events = super().select(_PATIENCE)
            if not events:
                raise Restless(f"a thread of the script has not ended within {_PATIENCE:g} s")
            return events
        self.loop._idle(timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop that has its own time, which begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        self._turns = 0
        self._outside = 0
        #: How much time may pass by itself: an end of the script takes some.
        self.grace = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since the scene was started, as they pass in the test."""
        return self._now

    def settle(self) -> None:
        """Runs whatever is due now, until nothing is."""
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """Runs whatever is due within so many seconds, each at its time."""
        self._until = self._now + seconds
        self._turns = 0
        self.run_forever()
        self._now = self._until

    def pass_until(self, done: Callable[[], bool], limit: float) -> bool:
        """Lets time pass, as little as need be, until ``done()``; returns whether
        that came within ``limit`` seconds."""
        self.settle()
        end = self._now + limit
        while not done():
            next_at = self._next_at()
            if next_at is None or next_at > end:
                return False
            self.pass_time(max(next_at - self._now, 0.0))
        return True

    def finish(self, work: Coroutine[Any, Any, Any]) -> None:
        """Does what is to be done at the end, which may take two seconds."""
        self._turns = 0
        self.grace = 2.0
        self.run_until_complete(work)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._outside += 1

        def ended(_: object) -> None:
            self._outside -= 1

        future.add_done_callback(ended)
        return future

    def _next_at(self) -> float | None:
        scheduled = [one.when() for one in getattr(self, "_scheduled") if not one.cancelled()]
        return min(scheduled, default=None)

    def _turn(self) -> None:
        self._turns += 1
        if self._turns > _TURNS:
            raise Restless(
                f"the script does not come to rest: {_TURNS} turns of the event loop at one "
                "moment; does a timer of 0 ms start itself again?"
            )

    def _idle(self, timeout: float | None) -> None:
        """Nothing is to be done now, and something in so many seconds."""
        until = max(self._until, self._now + self.grace)
        # What rounding leaves over is not waited for.
        if timeout is None or self._now + timeout > until + 1e-9:
            self.stop()
            return
        self._now = min(self._now + timeout, until)
        self._turns = 0
