"""Fixtures for destination tests: a scripted vendor, operations, and a secret API key."""

import pytest

from tests.unit.destinations import scripted


@pytest.fixture
def vendor():
    """A vendor without scripted answers."""
    return scripted.Vendor()


@pytest.fixture
def operation():
    """A factory for operations."""
    return scripted.operation


@pytest.fixture
def secret():
    """The API key of the account."""
    return scripted.SECRET
