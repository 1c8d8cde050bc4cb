"""Fixtures for tests of the Slack app."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration import slack_apps


@pytest.fixture
def slack(with_redis: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Run a coroutine function with the Slack app and a whole worker."""
    return functools.partial(slack_apps.run, with_redis, tmp_path)
