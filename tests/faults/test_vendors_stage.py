"""Workers die at one point again and again while both vendors fail at random: in the end, one of everything.

There are two webs, which both get every alert, and three workers, of which one dies at the point when it comes by it.
"""

import itertools
import os
import time
from types import SimpleNamespace

import pytest

from tests.end_to_end import harness
from tests.faults import chaos, scenes

IS_FULL = os.environ.get("CHAOS") == "full"
TIMES = int(os.environ.get("TIMES", "10" if IS_FULL else "1"))
PLACES = ["devhelm", "on-call", "devhelm-page", "public-page"]
POINTS = ["before-intent", "after-intent", "after-call", "before-record"]
ILLS = [
    {"action": "act-then-drop", "probability": 0.05},
    {"action": "act-then-hang", "probability": 0.05, "hang_seconds": 2},
    {"action": "act-then-busy", "probability": 0.03},
    {"action": "act-then-conflict", "probability": 0.01},
    {"action": "429", "probability": 0.05, "retry_after": 1},
    {"action": "429", "probability": 0.03, "retry_after": 1, "limit": "incidents_create"},
    {"action": "500", "probability": 0.05},
    {"action": "status", "probability": 0.01, "status": 401},
    # A key that has expired and is renewed, at one vendor at a time.
    {"action": "status", "probability": 0.003, "status": 401, "vendor": "devhelm", "lasts_seconds": 4},
    {"action": "status", "probability": 0.003, "status": 401, "vendor": "incident-io", "lasts_seconds": 4},
    {"action": "status", "probability": 0.01, "status": 409},
    {"action": "redirect", "probability": 0.01},
    {"action": "truncate", "probability": 0.03},
    {"action": "gateway", "probability": 0.03, "status": 404},
    {"action": "lag", "probability": 0.05},
    {"action": "normalize", "probability": 0.10, "style": "escape"},
    {"action": "render", "probability": 0.05, "style": "escape"},
    {"action": "odd-row", "probability": 0.10},
    {"action": "endless", "probability": 0.10},
]
# The vendor carries a request out more than a minute after it hung up or the call timed out. What that leaves at
# DevHelm is ended by a search three minutes after the call, so this is for the full length only.
LATE = [
    {"action": "act-late", "probability": 0.015, "hang_seconds": 75},
    {"action": "hang-then-act", "probability": 0.015, "hang_seconds": 75},
]
FAULTS = [*(LATE if IS_FULL else []), *ILLS]
# Three of four calls that change something go wrong: far beyond what leaves a circuit breaker closed.
OUTAGE = [
    {"action": "act-then-drop", "probability": 0.2},
    {"action": "act-then-hang", "probability": 0.1, "hang_seconds": 2},
    {"action": "429", "probability": 0.2, "retry_after": 1},
    {"action": "500", "probability": 0.3},
    {"action": "gateway", "probability": 0.3, "status": 404},
]
CIRCUITS = 6  # How many circuits have opened before the outage ends; there are four in each of three workers.
# The next probe, and then everything at once.
RECOVERY_SECONDS = 45.0
# The router searches DevHelm for duplicates three minutes after an open that got no answer, and repeats a search that
# fails after half a minute.
SETTLE_SECONDS = 420.0 if IS_FULL else 120.0
AGAIN_SECONDS = 0.5


@pytest.fixture
def scene(tmp_path):
    with scenes.playing(tmp_path, chaos.RULES, chaos.LIMITS) as playing:
        for seed, ill in enumerate(FAULTS, int(os.environ.get("CHAOS_SEED", "1"))):
            playing.vendors.fault(**ill, seed=seed, count=1_000_000)
        yield playing


class Senders:
    """Two replicas of a monitoring system, each at a web of its own, and the keys that they have spoken of."""

    def __init__(self, scene: scenes.Scene) -> None:
        self._webs = (scene.web, scene.another_web("web-2"))
        self.keys: list[str] = []

    def say(self, key: str, status: str = "firing") -> None:
        for web in self._webs:
            web.receives(status=status, dedup_key=f"alert of {key}", labels={"env": "chaos", "key": key})

    def fire(self) -> None:
        """Say that one more alert fires."""
        self.keys.append(f"k{len(self.keys)}")
        self.say(self.keys[-1])

    def until_killed(self, dying: harness.Process) -> None:
        """Say that one after the other fires until this worker, too, has had to do with one."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while dying.lives(AGAIN_SECONDS):
            assert time.monotonic() < deadline, dying.said
            self.fire()
        assert scenes.killed(dying), dying.said


def settled(scene: scenes.Scene, firing: dict[str, set[str]], seconds: float = SETTLE_SECONDS) -> None:
    """Everything is as it should be at all four destinations, or else what is not is told."""
    at = SimpleNamespace(vendors=scene.vendors)
    wrong = ["not looked at yet"]

    def right() -> bool:
        # First, so that nothing changes between a look that finds all right and the last late request.
        pending = scene.vendors.pending()
        wrong[:] = chaos.at_vendors(at, firing)
        if pending:
            wrong.append(f"the vendors carry out {pending} requests late")
        return not wrong

    try:
        harness.eventually("all is as it should be", right, seconds, every=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong}") from None


def struck(scene: scenes.Scene) -> set[str]:
    """The ills that calls have met."""
    return {call["fault"] for call in scene.vendors.calls()} - {""}


@pytest.fixture
def senders(scene) -> Senders:
    """Two workers that live work beside the one that dies."""
    for name in ("w2", "w3"):
        scene.worker(name)
    return Senders(scene)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("point", POINTS)
def test_workers_that_die_at_this_point_of_operations_at_failing_vendors_double_nothing(scene, senders, point):
    first = POINTS.index(point)  # So that even once at each point is at every place.
    for place in itertools.islice(itertools.cycle(PLACES), first, first + TIMES):
        senders.until_killed(scene.worker_that_dies(place, "open", point))
    settled(scene, {key: {"alert"} for key in senders.keys})
    for key in senders.keys:
        senders.say(key, "resolved")
    settled(scene, {key: set() for key in senders.keys})
    assert struck(scene)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_workers_that_die_before_they_acknowledge_lose_and_double_nothing_at_failing_vendors(scene, senders):
    """Another one folds what they leave, before a third is lost over it: that would make it a dead letter."""
    for _ in range(TIMES):
        senders.until_killed(scene.worker_that_dies("", "", "before-acknowledge"))
    settled(scene, {key: {"alert"} for key in senders.keys})
    assert struck(scene)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_after_an_outage_everything_is_right_soon_after_the_vendors_work_again(tmp_path):
    """Resolutions, too. The vendors act on some calls that they don't answer, so outcomes are unknown."""
    with scenes.playing(tmp_path, chaos.RULES, chaos.LIMITS) as scene:
        workers = [scene.worker(name) for name in ("w1", "w2", "w3")]
        senders = Senders(scene)
        for _ in range(6):
            senders.fire()
        settled(scene, {key: {"alert"} for key in senders.keys})
        for seed, ill in enumerate(OUTAGE, int(os.environ.get("CHAOS_SEED", "1"))):
            for method in ("POST", "PUT"):
                scene.vendors.fault(**ill, method=method, seed=seed, count=1_000_000)
        over = senders.keys[:3]
        for key in over:
            senders.say(key, "resolved")

        def circuits() -> int:
            senders.fire()
            return sum(worker.said.count('"event": "circuit"') for worker in workers)

        harness.eventually("circuits open", lambda: circuits() >= CIRCUITS, SETTLE_SECONDS, every=AGAIN_SECONDS)
        harness.ask(f"{scene.vendors.url}/faults", method="DELETE")
        settled(scene, {key: set() if key in over else {"alert"} for key in senders.keys}, RECOVERY_SECONDS)
