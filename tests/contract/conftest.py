"""The simulated vendors for tests of destinations. Tests of a simulator start their own."""

from collections.abc import Iterator

import pytest

from router.simulator import options, server
from tests.unit.destinations import scripted


@pytest.fixture(scope="module")
def simulator() -> Iterator[server.Server]:
    """Both vendors, with a clock one second ahead of the destinations' tests, for one key."""
    chosen = options.Options(clock=lambda: scripted.OPENED_AT + 1_000_000, api_keys=frozenset({scripted.SECRET}))
    with server.Server(chosen) as running:
        yield running
