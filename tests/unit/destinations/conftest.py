"""What the tests of destinations share: a scripted vendor, operations, and the key that nobody may see."""

import pytest

from tests.unit.destinations import scripted


@pytest.fixture
def vendor():
    """A vendor that has nothing scripted yet."""
    return scripted.Vendor()


@pytest.fixture
def operation():
    """Makes operations."""
    return scripted.operation


@pytest.fixture
def secret():
    """The key of the account."""
    return scripted.SECRET
