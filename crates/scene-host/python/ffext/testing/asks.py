"""What the script waits for while the test, or a database, does it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Asks:
    """What has been asked for and not been answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last = 0
        self._tasks: dict[int, asyncio.Task[Any]] = {}

    def ask(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Does the work; what is returned gives its result, as the host's does."""
        from ffext.asks import Answer

        self._last += 1
        number = self._last
        future: asyncio.Future[Any] = Answer(number)
        task = self._loop.create_task(work, name=f"the test's answer {number}")
        self._tasks[number] = task

        def ended(task: asyncio.Task[Any]) -> None:
            self._tasks.pop(number, None)
            if task.cancelled():
                return
            error = task.exception()
            if future.done():
                return
            if error is None:
                future.set_result(task.result())
            else:
                future.set_exception(error)

        task.add_done_callback(ended)
        return future

    def give_up(self, number: int) -> None:
        """The script has stopped waiting."""
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """What does the work that is under way."""
        return set(self._tasks.values())
