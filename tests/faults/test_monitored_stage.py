"""Workers die while posts are monitored, and the vendors fail at random: no post is false, doubled, or left in the end.

Two webs get every alert. Of three workers, one dies at a point of an operation of ``resolve: {monitor_for: …}``.
"""

import itertools
import os
import time

import pytest

from tests.end_to_end import harness
from tests.faults import chaos, scenes
from tests.faults import test_vendors_stage as vendors_stage

FULL = os.environ.get("CHAOS") == "full"
MONITORED = 'message: We are investigating., resolve: {monitor_for: 3s, message: "It works again."}'
RULES = chaos.RULES.replace("message: We are investigating.", MONITORED)
# A post is set to monitoring at once, however often posts change.
LIMITS = chaos.LIMITS.replace("pages: {", "pages: {updates_apart: 0s, updates_per_hour: 100000, ")
PLACES = ["devhelm-page", "public-page"]
POINTS = vendors_stage.POINTS if FULL else ["after-call"]
KINDS = ["monitor", "update", "resolve"] if FULL else ["monitor"]
# Requests that are carried out after a few seconds come between the changes of one post.
FAULTS = [*([{"action": "act-late", "probability": 0.01, "hang_seconds": 3}] if FULL else []), *vendors_stage.FAULTS]
SETTLE_SECONDS = vendors_stage.SETTLE_SECONDS
MONITORING = {"MONITORING", "monitoring"}


@pytest.fixture
def scene(tmp_path):
    with scenes.playing(tmp_path, RULES, LIMITS) as playing:
        for seed, ill in enumerate(FAULTS, int(os.environ.get("CHAOS_SEED", "1"))):
            playing.vendors.fault(**ill, seed=seed, count=1_000_000)
        for name in ("w2", "w3"):
            playing.worker(name)
        yield playing


def statuses(scene: scenes.Scene, key: str) -> set[str]:
    """What the posts about a key say, of those that are not resolved."""
    posts = [*scene.vendors.state()["incident-io"]["status_page_incidents"], *scene.vendors.posts()]
    about = [one for one in posts if chaos.key_of(one.get("title", one.get("name"))) == key]
    said = {one.get("incident_status", one.get("status")) for one in about}
    return said - {"RESOLVED", "resolved"}


def settled(scene: scenes.Scene, firing: dict[str, set[str]]) -> None:
    """All is as it should be at the destinations, and no post says that it is monitored while its alert fires."""
    vendors_stage.settled(scene, firing, SETTLE_SECONDS)
    fires = [key for key, alerts in firing.items() if alerts]
    harness.eventually(
        "no post of what fires is monitored",
        lambda: not any(statuses(scene, key) & MONITORING for key in fires),
        SETTLE_SECONDS,
        every=0.5,
    )


def until_killed(scene: scenes.Scene, senders: vendors_stage.Senders, dying: harness.Process, kind: str) -> list[str]:
    """Let alerts fire, end, and for an update fire again, until the worker is killed; the keys that fire then."""
    deadline = time.monotonic() + SETTLE_SECONDS
    firing: list[str] = []
    while dying.lives(vendors_stage.AGAIN_SECONDS):
        assert time.monotonic() < deadline, dying.said
        senders.fire()
        key = senders.keys[-1]
        harness.eventually("it is shown at both pages", lambda key=key: len(statuses(scene, key)) > 0, SETTLE_SECONDS)
        senders.say(key, "resolved")
        if kind == "update":
            harness.eventually(
                "it is monitored", lambda key=key: statuses(scene, key) & MONITORING or not statuses(scene, key), 60
            )
            senders.say(key)
            firing.append(key)
    assert scenes.killed(dying), dying.said
    return firing


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_die_while_posts_are_monitored_leave_none_behind(scene, kind):
    senders = vendors_stage.Senders(scene)
    firing: list[str] = []
    for place, point in itertools.product(PLACES if FULL else PLACES[:1], POINTS):
        firing += until_killed(scene, senders, scene.worker_that_dies(place, kind, point), kind)
    if FULL:  # A key that is refused for a while.
        scene.vendors.fault(action="status", status=401, vendor="devhelm", count=20)
    settled(scene, {key: {"alert"} if key in firing else set() for key in senders.keys})
    for key in firing:
        senders.say(key, "resolved")
    settled(scene, {key: set() for key in senders.keys})
    assert vendors_stage.struck(scene)
