"""Which script runs, and how it came to that."""

from collections.abc import Iterable
from typing import NamedTuple

class Version(NamedTuple):
    version: int
    hash: str

class Reload:
    module: str
    modules: tuple[str, ...]
    version: int
    hash: str
    kept: tuple[str, ...]
    error: str | None
    def __init__(
        self,
        module: str,
        version: int,
        hash: str,
        kept: Iterable[str] = (),
        error: str | None = None,
        modules: Iterable[str] | None = None,
    ) -> None: ...
    def __bool__(self) -> bool: ...
