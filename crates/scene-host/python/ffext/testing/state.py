"""What a scene of a test hands its successor."""

from __future__ import annotations

from typing import Any

import _ffext
from _ffext import first_step

from .loop import VirtualLoop


class Kept:
    """What outlives a restart: the last id, and the script's snapshot."""

    def __init__(self) -> None:
        self.last_id = 0
        #: Its kind, its bytes and its version.
        self.snapshot: tuple[str, bytes, Any] | None = None

    def take(self, loop: VirtualLoop) -> None:
        """The scene ends, and its script says what is to be kept."""
        from ffext import snapshots

        loop.grace = 2.0
        try:
            self.snapshot = snapshots.take(loop, loop.grace)
        except BaseException as error:
            self.snapshot = None
            _ffext.failed("snapshot", "snapshot", error)
        finally:
            loop.grace = 0.0

    def give(self) -> None:
        """The script has loaded, and is given what was kept."""
        from ffext import snapshots

        snapshot, self.snapshot = self.snapshot, None
        restorer = snapshots.restorer()
        if snapshot is None or restorer is None:
            return
        call, label = restorer
        stage = _ffext.current()

        def ended(task: Any) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                stage.failed("restore", label, "", error)

        try:
            task, _ = first_step.follow_up(stage.loop, call(*snapshot))
        except BaseException as error:
            stage.failed("restore", label, "", error)
            return
        if task is not None:
            task.add_done_callback(ended)
