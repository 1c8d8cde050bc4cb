"""A worker is killed at each step of its opening in turn: afterwards there is exactly one of everything."""

import pytest

from tests.end_to_end import harness
from tests.faults import scenes

POINTS = ["before-intent", "after-intent", "after-call", "before-record", "after-record"]
PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
OPENINGS = [(place, "open", point) for place in PLACES for point in POINTS]


@pytest.fixture
def scene(tmp_path):
    with scenes.playing(tmp_path) as playing:
        yield playing


@pytest.mark.parametrize(("place", "kind", "point"), OPENINGS)
def test_a_worker_killed_while_it_opens_leaves_exactly_one_of_everything(scene, place, kind, point):
    dying = scene.worker_that_dies(place, kind, point)
    scene.web.receives(severity="critical")
    assert scenes.killed(dying)
    scene.worker()
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))
