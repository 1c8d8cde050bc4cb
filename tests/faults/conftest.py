"""The scene in which workers are killed: each test has one of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import scenes


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[scenes.Scene]:
    """What stays while workers die."""
    with scenes.playing(tmp_path) as playing:
        yield playing
