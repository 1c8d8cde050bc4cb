"""Programs from Debian packages that tests start: ``@pytest.mark.debian("prometheus-alertmanager")``.

If the program is missing, the test is skipped with the name of the package. In CI, it fails, so that no test is skipped
unnoticed. ``tests/conftest.py`` loads this file as a plug-in.
"""

import os
import shutil

import pytest


def explain_missing(package: str) -> str:
    """Return why a test that needs this package's program can't run; empty if it can.

    Each package used here has the name of its program.
    """
    if shutil.which(package):
        return ""
    return f"there is no {package} on PATH: apt-get install {package} (`make test` as root does it)"


def is_ci() -> bool:
    """Return whether this run must run every test."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or fail it in CI."""
    reasons = [explain_missing(mark.args[0]) for mark in item.iter_markers("debian")]
    reason = "; ".join(filter(None, reasons))
    if not reason:
        return
    if is_ci():
        pytest.fail(f"in CI nothing is skipped, yet {reason}", pytrace=False)
    pytest.skip(reason)
