"""A worker is killed while it resolves, before it acknowledges, or stands still: nothing is doubled or left open."""

import pytest

from tests.end_to_end import harness
from tests.faults import scenes

PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
ENDINGS = [(place, "resolve", point) for place in PLACES for point in ("after-intent", "after-call")]


@pytest.mark.parametrize(("place", "kind", "point"), ENDINGS)
def test_a_worker_killed_while_it_resolves_leaves_nothing_open(scene, place, kind, point):
    dying = scene.worker_that_dies(place, kind, point)
    scene.web.receives(severity="critical")
    harness.eventually("it is open everywhere", lambda: scene.vendors.everywhere("open"))
    scene.web.receives(status="resolved")
    assert scenes.killed(dying)
    scene.worker()
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))


@pytest.mark.parametrize("name", ["w1", "another"])
def test_a_worker_killed_before_it_acknowledges_loses_nothing_and_doubles_nothing(scene, name):
    """The successor finds the entry under its own name at once, or takes it over from the dead one."""
    dying = scene.worker_that_dies("", "", "before-acknowledge")
    scene.web.receives(severity="critical")
    assert scenes.killed(dying)
    scene.worker(name)
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))


@pytest.mark.parametrize(("first", "second"), [("intent", "intent"), ("", "find")])
def test_without_the_intent_or_the_search_there_would_be_two(scene, first, second):
    """The checks can fail: what they rest on is taken away, and they do."""
    dying = scene.worker_that_dies("devhelm", "open", "after-call", first)
    scene.web.receives(severity="critical")
    assert scenes.killed(dying)
    scene.worker_that_dies("", "", "", second).says("started")
    harness.eventually("DevHelm has two", lambda: scene.vendors.incidents()["devhelm"] == ["open", "open"])
    assert not scene.vendors.everywhere("open")


def test_two_workers_share_the_work_and_one_may_die(scene):
    first = scene.worker("w1")
    scene.worker("w2")
    scene.web.receives(severity="critical")
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    first.kill()
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))


def sleeping_past_its_lease(scene: scenes.Scene, without: str = "") -> harness.Process:
    """A worker stands still before it opens at DevHelm, another one has opened meanwhile, and the first goes on."""
    wake = scene.folder / "wake"
    sleeping = scene.worker_that_dies("devhelm", "open", "before-intent", without, wake)
    scene.web.receives(severity="critical")
    sleeping.says("asleep")
    scene.worker("another")
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    wake.touch()
    return sleeping


def test_a_worker_that_wakes_after_its_lease_has_ended_changes_nothing(scene):
    sleeping_past_its_lease(scene).says("refused")
    assert scene.vendors.everywhere("open")
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))


def test_without_the_fence_it_would_open_a_second_one(scene):
    """The check above can fail: the fence is taken away, and it does."""
    sleeping_past_its_lease(scene, "fence")
    harness.eventually("DevHelm has two", lambda: len(scene.vendors.incidents()["devhelm"]) == 2)
    assert not scene.vendors.everywhere("open")
