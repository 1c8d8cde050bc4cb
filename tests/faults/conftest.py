"""The scene in which workers are killed: each test has one of its own; and the order in which stages are played."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import scenes


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the long ones begin with those that may take longest: the quick ones then fill what they leave."""
    if os.environ.get("CHAOS") == "full":
        items.sort(key=lambda item: -marker.args[0] if (marker := item.get_closest_marker("timeout")) else 0)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[scenes.Scene]:
    """What stays while workers die."""
    with scenes.playing(tmp_path) as playing:
        yield playing
