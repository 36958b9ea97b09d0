"""What pytest offers where this package is installed: the fixture ``scene``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .scene import Scene


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The script ``main.py`` beside the test's file, loaded. Of another file, or with
    other nodes, a test makes a ``Scene`` of its own."""
    with Scene(request.path.with_name("main.py")) as scene:
        yield scene
