"""What a client keeps so that another connection can go on where one broke off."""

from collections import deque
from typing import Optional

from .errors import ProtocolBroken

ACK_MESSAGES = 16
ACK_BYTES = 16 * 1024
# As many messages, and bytes, may wait for the gate's word that they have come.
MAX_KEPT = 1024
MAX_KEPT_BYTES = 256 * 1024


class Sent:
    """Messages that are sent, and kept until the gate says that they have come."""

    def __init__(self) -> None:
        self._before = 0
        self._kept: deque[bytes] = deque()
        self._gone = 0
        self._bytes = 0
        self._acked = 0

    @property
    def kept(self) -> int:
        return len(self._kept)

    @property
    def is_full(self) -> bool:
        return len(self._kept) >= MAX_KEPT or self._bytes >= MAX_KEPT_BYTES

    def push(self, frame: bytes) -> None:
        self._kept.append(frame)
        self._bytes += len(frame)

    def next(self) -> Optional[bytes]:
        """The next that goes out on this connection."""
        if self._gone == len(self._kept):
            return None
        self._gone += 1
        return self._kept[self._gone - 1]

    def acknowledge(self, count: int) -> None:
        if not self._acked <= count <= self._before + len(self._kept):
            raise ProtocolBroken("%d messages have come, it says" % count)
        self._acked = count
        while self._before < count:
            self._bytes -= len(self._kept.popleft())
            self._before += 1
            self._gone = max(0, self._gone - 1)

    def resume(self, count: int) -> None:
        """There is another connection: what has not come goes out again."""
        self.acknowledge(count)
        self._gone = 0

    def forget(self) -> None:
        """Nobody will ever say that they have come."""
        self.acknowledge(self._before + len(self._kept))


class Received:
    """How many messages have come."""

    def __init__(self) -> None:
        self._count = 0
        self._told = 0
        self._bytes = 0

    def take(self, body_bytes: int) -> Optional[int]:
        """A message has come. Says what the gate is to be told, if it is time to."""
        self._count += 1
        self._bytes += body_bytes
        is_due = self._count - self._told >= ACK_MESSAGES or self._bytes >= ACK_BYTES
        return self.tell() if is_due else None

    def tell(self) -> int:
        self._told = self._count
        self._bytes = 0
        return self._count
