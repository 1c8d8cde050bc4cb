"""Programs from Debian packages that tests start: ``@pytest.mark.debian("prometheus-alertmanager")``.

Where the program is missing the test is skipped and says what to install; in CI it fails, so that nothing is skipped
there unseen. ``tests/conftest.py`` loads this file as a plug-in.
"""

import os
import shutil

import pytest


def missing(package: str) -> str:
    """Why a test that drives this package's program cannot run; empty where it can.

    The packages used here name their program as themselves.
    """
    if shutil.which(package):
        return ""
    return f"there is no {package} on PATH: apt-get install {package} (`make test` as root does it)"


def in_ci() -> bool:
    """Whether this run has to run every test."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or fail it in CI."""
    reasons = [missing(mark.args[0]) for mark in item.iter_markers("debian")]
    reason = "; ".join(filter(None, reasons))
    if not reason:
        return
    if in_ci():
        pytest.fail(f"in CI nothing is skipped, yet {reason}", pytrace=False)
    pytest.skip(reason)
