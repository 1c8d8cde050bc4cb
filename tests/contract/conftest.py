"""The simulated vendors to which destinations speak; tests of a simulator itself start one as they need it."""

from collections.abc import Iterator

import pytest

from router.simulator import options, server
from tests.unit.destinations import scripted


@pytest.fixture(scope="module")
def simulator() -> Iterator[server.Server]:
    """Both vendors, a second after what the destinations' tests open, for their key alone."""
    chosen = options.Options(clock=lambda: scripted.OPENED_AT + 1_000_000, api_keys=frozenset({scripted.SECRET}))
    with server.Server(chosen) as running:
        yield running
