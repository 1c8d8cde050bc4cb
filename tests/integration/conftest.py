"""Fixtures for tests of the console, the API, and the commands."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import harness
from tests.integration import consoles, identity


@pytest.fixture
def play(with_redis: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine function with the management application and a whole worker."""
    return functools.partial(consoles.run, with_redis, tmp_path)


@pytest.fixture
def with_lying_provider(with_redis: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine function with the console and a simulated provider that returns the test's responses."""

    def run(body: Callable[..., Any], **more: Any) -> None:
        async def main(store: Any) -> None:
            async with identity.serve_with_lying_provider(store, tmp_path, **more) as (provider, found):
                await body(provider, found)

        with_redis(main)

    return run


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Router]:
    """Run `incident-router run` with both simulated vendors, for all tests of a file."""
    folder = tmp_path_factory.mktemp("router")
    with harness.vendors() as at, harness.router(folder, harness.configure(folder, at)) as running:
        yield running
