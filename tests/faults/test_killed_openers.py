"""A worker is killed at each step of an open: afterwards each incident is open exactly once."""

import pytest

from tests.end_to_end import harness
from tests.faults import setups

PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
TELLING = ["after-intent", "after-call"]  # The other points differ from these in the recorded state, not in the calls.
OPENINGS = [(place, "open", point) for place in PLACES for point in TELLING] + [
    pytest.param(place, "open", point, marks=pytest.mark.long)
    for place in PLACES
    for point in ("before-intent", "before-record", "after-record")
]


@pytest.mark.parametrize(("place", "kind", "point"), OPENINGS)
def test_worker_killed_while_opening_leaves_one_incident(setup, place, kind, point):
    dying = setup.worker_that_dies(place, kind, point)
    setup.web.receives(severity="critical")
    assert setups.killed(dying)
    setup.worker()
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.everywhere("open"))
    setup.web.receives(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.everywhere("resolved"))
