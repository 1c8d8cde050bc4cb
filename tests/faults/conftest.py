"""The setup of tests that kill workers, and the order in which long tests run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import setups


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests with the longest time limit first, so that short ones fill the remaining time."""
    if os.environ.get("CHAOS") == "full":
        items.sort(key=lambda item: -marker.args[0] if (marker := item.get_closest_marker("timeout")) else 0)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[setups.Setup]:
    """The processes that stay while workers are killed."""
    with setups.run_setup(tmp_path) as setup:
        yield setup
