"""What the tests of the console and the API play in: a desk, or a console before a provider that lies."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration import desk, identity


@pytest.fixture
def play(with_redis: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine function at a desk: the management application, and the whole worker beside it."""
    return functools.partial(desk.playing, with_redis, tmp_path)


@pytest.fixture
def with_liar(with_redis: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine function with the console, and a provider behind it that says what it is told to say."""

    def run(body: Callable[..., Any], **more: Any) -> None:
        async def main(connection: Any) -> None:
            async with identity.lying(connection, tmp_path, **more) as (provider, found):
                await body(provider, found)

        with_redis(main)

    return run
