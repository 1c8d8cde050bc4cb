"""Fixtures for all tests: a real Valkey server, empty at the start of each test."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis

from router.store import embedded
from router.store.store import Store

pytest_plugins = ["tests.programs"]

# The duration of an example means nothing on a machine that is busy with other work.
hypothesis.settings.register_profile("router", deadline=None)
hypothesis.settings.load_profile("router")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long stages of the fault harness, except in `make test-faults`, which sets CHAOS=full."""
    if os.environ.get("CHAOS") == "full":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedServer]:
    """Run one server for the whole session, started as the router starts it."""
    with embedded.running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: embedded.EmbeddedServer) -> str:
    """Return the URL of an empty server."""
    with contextlib.closing(redis.Redis.from_url(valkey.url)) as connection:
        connection.flushall()
    return valkey.url


@pytest.fixture
def with_redis(redis_url: str) -> Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine function with a connection to an empty server, and close it afterwards."""

    def run(body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            store = Store.connect(redis_url)
            try:
                return await body(store)
            finally:
                await store.aclose()

        return asyncio.run(main())

    return run


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Return a folder for a server that only this test uses."""
    return tmp_path / "data"
