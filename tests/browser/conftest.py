"""One router for all tests of a worker, one browser for those of a file, and visitors whose pages stay clean."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright import sync_api

from tests.browser import hostile, stage


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Console]:
    """A running router; each test brings an incident of its own."""
    with stage.running(tmp_path_factory.mktemp("console")) as found:
        yield found


# Playwright keeps an event loop running in this thread, so that no test of another file could start its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """Debian's Chromium."""
    with stage.chromium() as found:
        yield found


@pytest.fixture(scope="session")
def full(console: stage.Console) -> list[str]:
    """The address of every page, on a router that holds one of everything, written by somebody hostile."""
    return hostile.fill(console)


@pytest.fixture
def stranger(console: stage.Console, browser: sync_api.Browser) -> Iterator[Callable[..., stage.Visitor]]:
    """Somebody who is not signed in; in the end nothing may have gone wrong in any of their pages."""
    visitors: list[stage.Visitor] = []

    def arrives(**options: Any) -> stage.Visitor:
        visitors.append(stage.visitor(console, browser, **options))
        return visitors[-1]

    yield arrives
    problems = [problem for one in visitors for problem in one.problems()]
    for one in visitors:
        one.context.close()
    assert problems == []


@pytest.fixture
def visit(stranger: Callable[..., stage.Visitor]) -> Callable[..., stage.Visitor]:
    """Somebody who is signed in."""
    return lambda **options: stranger(**options).signed_in()
