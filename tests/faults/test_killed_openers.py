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
    dying = setup.start_dying_worker(place, kind, point)
    setup.web.send_alert(severity="critical")
    assert setups.is_killed(dying)
    setup.worker()
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.is_everywhere("open"))
    setup.web.send_alert(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.is_everywhere("resolved"))
