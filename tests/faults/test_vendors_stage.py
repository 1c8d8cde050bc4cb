"""Workers die at one point again and again while both vendors fail at random: in the end, one of everything."""

import itertools
import os
from types import SimpleNamespace

import pytest

from tests.end_to_end import harness
from tests.faults import chaos, scenes

TIMES = 10 if os.environ.get("CHAOS") == "full" else 1
PLACES = ["devhelm", "on-call", "devhelm-page", "public-page"]
POINTS = ["before-intent", "after-intent", "after-call", "before-record"]
ILLS = [
    ("act-then-drop", 0.05),
    ("act-then-hang", 0.05),
    ("429", 0.10),
    ("500", 0.05),
    ("truncate", 0.03),
]
SETTLE_SECONDS = 200.0


@pytest.fixture
def scene(tmp_path):
    with scenes.playing(tmp_path, chaos.RULES, chaos.LIMITS) as playing:
        for seed, (action, probability) in enumerate(ILLS, int(os.environ.get("CHAOS_SEED", "1"))):
            playing.vendors.fault(
                action=action, probability=probability, seed=seed, count=1_000_000, retry_after=1, hang_seconds=2
            )
        yield playing


def receives(scene: scenes.Scene, key: str, status: str = "firing") -> None:
    scene.web.receives(status=status, dedup_key=f"alert of {key}", labels={"env": "chaos", "key": key})


def settled(scene: scenes.Scene, firing: dict[str, set[str]]) -> None:
    """Everything is as it should be at all four destinations, or else what is not is told."""
    at = SimpleNamespace(vendors=scene.vendors)
    wrong = list(chaos.at_vendors(at, firing))

    def right() -> bool:
        wrong[:] = chaos.at_vendors(at, firing)
        return not wrong

    try:
        harness.eventually("all is as it should be", right, SETTLE_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong}") from None


def struck(scene: scenes.Scene) -> set[str]:
    """The ills that calls have met."""
    return {call["fault"] for call in scene.vendors.calls()} - {""}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", POINTS)
def test_workers_that_die_at_this_point_of_operations_at_failing_vendors_double_nothing(scene, point):
    keys = [f"k{number}" for number in range(TIMES)]
    first = POINTS.index(point)  # So that even once at each point is at every place.
    for key, place in zip(keys, itertools.islice(itertools.cycle(PLACES), first, None), strict=False):
        dying = scene.worker_that_dies(place, "open", point)
        receives(scene, key)
        assert scenes.killed(dying), dying.said
    scene.worker()
    settled(scene, {key: {"alert"} for key in keys})
    for key in keys:
        receives(scene, key, "resolved")
    settled(scene, {key: set() for key in keys})
    assert struck(scene)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_workers_that_die_before_they_acknowledge_lose_and_double_nothing_at_failing_vendors(scene):
    """Another one folds what they leave, before a third is lost over it: that would make it a dead letter."""
    keys = [f"k{number}" for number in range(TIMES)]
    for key in keys:
        dying = scene.worker_that_dies("", "", "before-acknowledge")
        receives(scene, key)
        assert scenes.killed(dying), dying.said
        helping = scene.worker()
        harness.eventually(f"{key} is open", lambda wanted=key: is_at_incident_io(scene, wanted), SETTLE_SECONDS)
        helping.stop()
    scene.worker()
    settled(scene, {key: {"alert"} for key in keys})
    assert struck(scene)


def is_at_incident_io(scene: scenes.Scene, key: str) -> bool:
    """Whether incident.io has it."""
    return any(chaos.key_of(one["name"]) == key for one in scene.vendors.state()["incident-io"]["incidents"])
