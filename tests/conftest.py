"""Fixtures that every kind of test may use: a real Valkey server, empty at the start of each test."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis

from router.store import client, embedded

pytest_plugins = ["tests.programs"]

# How long an example takes says nothing on a machine that does other things as well.
hypothesis.settings.register_profile("router", deadline=None)
hypothesis.settings.load_profile("router")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long stages of the fault harness to `make test-faults`, which says CHAOS=full."""
    if os.environ.get("CHAOS") == "full":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """One server for the whole session, as the router itself would start it."""
    with embedded.running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: embedded.Server) -> str:
    """The address of an empty server."""
    with contextlib.closing(redis.Redis.from_url(valkey.url)) as connection:
        connection.flushall()
    return valkey.url


@pytest.fixture
def with_redis(redis_url: str) -> Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine function with a connection to an empty server, and close it afterwards."""

    def run(body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            connection = client.connect(redis_url)
            try:
                return await body(connection)
            finally:
                await connection.aclose()

        return asyncio.run(main())

    return run


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A folder for a server of the test's own."""
    return tmp_path / "data"
