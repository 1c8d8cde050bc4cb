"""Fixtures of the browser tests: one router per test worker, one browser per file, and visitors with checked pages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright import sync_api

from tests.browser import hostile, stage


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Console]:
    """Run a router. Each test creates its own incident."""
    with stage.run_console(tmp_path_factory.mktemp("console")) as found:
        yield found


# Playwright keeps an event loop running in this thread, so that no test of another file could start its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    """Debian's Chromium."""
    with stage.chromium() as found:
        yield found


@pytest.fixture(scope="session")
def full(console: stage.Console) -> list[str]:
    """Return the URL of every page, on a router with one object of each kind, whose texts try to inject scripts."""
    return hostile.fill(console)


@pytest.fixture
def visit_signed_out(console: stage.Console, browser: sync_api.Browser) -> Iterator[Callable[..., stage.Visitor]]:
    """Return a visitor who isn't signed in. Fails if any page of the visitor had an error."""
    visitors: list[stage.Visitor] = []

    def arrives(**options: Any) -> stage.Visitor:
        visitors.append(stage.visitor(console, browser, **options))
        return visitors[-1]

    yield arrives
    problems = [problem for one in visitors for problem in one.problems()]
    for visitor in visitors:
        visitor.context.close()
    assert problems == []


@pytest.fixture
def visit(visit_signed_out: Callable[..., stage.Visitor]) -> Callable[..., stage.Visitor]:
    """Return a visitor who is signed in."""
    return lambda **options: visit_signed_out(**options).signed_in()
