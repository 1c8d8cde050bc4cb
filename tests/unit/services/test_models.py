"""Timestamps in the API: every number of microseconds has a representation."""

import datetime as dt

import pytest

from router.services import models
from router.sources import times


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (0, None),
        (1, "1970-01-01T00:00:00.000001+00:00"),
        (1_772_452_800_123_457, "2026-03-02T12:00:00.123457+00:00"),
        (times.LATEST, "9999-12-31T00:00:00+00:00"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999+00:00"),
        (10**30, "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_every_timestamp_has_a_representation(moment, shown):
    """A sender may send any time. Times that were stored before the limits existed are also shown."""
    found = models.at(moment)
    assert (found.isoformat() if isinstance(found, dt.datetime) else None) == shown
