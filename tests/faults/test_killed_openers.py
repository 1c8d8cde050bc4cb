"""A worker is killed at each step of its opening in turn: afterwards there is exactly one of everything."""

import pytest

from tests.end_to_end import harness
from tests.faults import scenes

PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
TELLING = ["after-intent", "after-call"]  # The others differ from these in what was written, not in what was called.
OPENINGS = [(place, "open", point) for place in PLACES for point in TELLING] + [
    pytest.param(place, "open", point, marks=pytest.mark.long)
    for place in PLACES
    for point in ("before-intent", "before-record", "after-record")
]


@pytest.mark.parametrize(("place", "kind", "point"), OPENINGS)
def test_a_worker_killed_while_it_opens_leaves_exactly_one_of_everything(scene, place, kind, point):
    dying = scene.worker_that_dies(place, kind, point)
    scene.web.receives(severity="critical")
    assert scenes.killed(dying)
    scene.worker()
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))
