"""A fresh account for each test."""

import pytest

from tests.unit.simulator_devhelm import accounts


@pytest.fixture
def account() -> accounts.Account:
    """An account that accepts every key."""
    return accounts.Account()
