"""The outcome of an open that the vendor answers with 409 is unknown until the worker reads the vendor's state."""

import asyncio
from types import SimpleNamespace

import pytest

from router.outbound import errors
from router.worker import vendor_calls
from tests.unit.destinations import scripted


class Conflicting:
    """Answer every call with 409."""

    def __getattr__(self, _name):
        async def refuse(_operation):
            raise errors.Conflict("409: it is so already")

        return refuse


def test_open_answered_with_conflict_has_an_unknown_outcome():
    place = SimpleNamespace(destination=Conflicting())
    with pytest.raises(errors.Unanswered, match="it is so already") as caught:
        asyncio.run(vendor_calls.call_vendor(place, scripted.operation("open", {})))
    assert isinstance(caught.value.__cause__, errors.Conflict)
