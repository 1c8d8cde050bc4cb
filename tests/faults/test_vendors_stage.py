"""Workers are killed at one point repeatedly while both vendors fail at random: each incident is opened exactly once.

Two webs both receive every alert. Of three workers, one is killed when it reaches the point.
"""

import itertools
import os
import time
from types import SimpleNamespace

import pytest

from tests.end_to_end import harness
from tests.faults import chaos, setups

IS_FULL = os.environ.get("CHAOS") == "full"
TIMES = int(os.environ.get("TIMES", "10" if IS_FULL else "1"))
PLACES = ["devhelm", "on-call", "devhelm-page", "public-page"]
POINTS = ["before-intent", "after-intent", "after-call", "before-record"]
RANDOM_FAULTS = [
    {"action": "act-then-drop", "probability": 0.05},
    {"action": "act-then-hang", "probability": 0.05, "hang_seconds": 2},
    {"action": "act-then-busy", "probability": 0.03},
    {"action": "act-then-conflict", "probability": 0.01},
    {"action": "429", "probability": 0.05, "retry_after": 1},
    {"action": "429", "probability": 0.03, "retry_after": 1, "limit": "incidents_create"},
    {"action": "500", "probability": 0.05},
    {"action": "status", "probability": 0.01, "status": 401},
    # One vendor at a time rejects the API key as expired, and then accepts it again.
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
# The vendor carries a request out more than a minute after it hung up or the call timed out. A search three
# minutes after the call resolves what such a request left at DevHelm, so only the full length includes it.
LATE_REQUESTS = [
    {"action": "act-late", "probability": 0.015, "hang_seconds": 75},
    {"action": "hang-then-act", "probability": 0.015, "hang_seconds": 75},
]
FAULTS = [*(LATE_REQUESTS if IS_FULL else []), *RANDOM_FAULTS]
# Three of four changing calls fail: far more than a closed circuit breaker tolerates.
OUTAGE = [
    {"action": "act-then-drop", "probability": 0.2},
    {"action": "act-then-hang", "probability": 0.1, "hang_seconds": 2},
    {"action": "429", "probability": 0.2, "retry_after": 1},
    {"action": "500", "probability": 0.3},
    {"action": "gateway", "probability": 0.3, "status": 404},
]
MIN_OPENED_CIRCUIT_BREAKERS = 6  # Before the outage ends. Each of three workers has four circuit breakers.
# The next probe, and then all pending calls.
RECOVERY_SECONDS = 45.0
# The router searches DevHelm for duplicates three minutes after an open that got no answer, and repeats a search that
# fails after half a minute.
SETTLE_SECONDS = 420.0 if IS_FULL else 120.0
AGAIN_SECONDS = 0.5


@pytest.fixture
def setup(tmp_path):
    with setups.run_setup(tmp_path, chaos.RULES, chaos.LIMITS) as setup:
        for seed, fault in enumerate(FAULTS, int(os.environ.get("CHAOS_SEED", "1"))):
            setup.vendors.fault(**fault, seed=seed, count=1_000_000)
        yield setup


class Senders:
    """Two replicas of a monitoring system, which send to one web each, and the incident keys of their alerts."""

    def __init__(self, setup: setups.Setup) -> None:
        self._webs = (setup.web, setup.another_web("web-2"))
        self.keys: list[str] = []

    def send(self, key: str, status: str = "firing") -> None:
        for web in self._webs:
            web.send_alert(status=status, dedup_key=f"alert of {key}", labels={"env": "chaos", "key": key})

    def fire(self) -> None:
        """Send a firing alert of a new incident key."""
        self.keys.append(f"k{len(self.keys)}")
        self.send(self.keys[-1])

    def until_killed(self, dying: harness.Process) -> None:
        """Send alerts of new incident keys until the worker is killed while it handles one."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while dying.is_running_after(AGAIN_SECONDS):
            assert time.monotonic() < deadline, dying.output
            self.fire()
        assert setups.is_killed(dying), dying.output


def wait_until_settled(setup: setups.Setup, firing: dict[str, set[str]], seconds: float = SETTLE_SECONDS) -> None:
    """Wait until all four destinations show what fires and no late request is pending; else name the differences."""
    at = SimpleNamespace(vendors=setup.vendors)
    wrong = ["not looked at yet"]

    def right() -> bool:
        # Before the comparison, so that no late request can change the state after it.
        pending = setup.vendors.pending()
        wrong[:] = chaos.compare_with_vendors(at, firing)
        if pending:
            wrong.append(f"the vendors carry out {pending} requests late")
        return not wrong

    try:
        harness.eventually("all is as it should be", right, seconds, every=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong}") from None


def faults_met(setup: setups.Setup) -> set[str]:
    """Return the faults that affected calls."""
    return {call["fault"] for call in setup.vendors.calls()} - {""}


@pytest.fixture
def senders(setup) -> Senders:
    """Start the two workers that are not killed."""
    for name in ("w2", "w3"):
        setup.worker(name)
    return Senders(setup)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("point", POINTS)
def test_killed_workers_at_failing_vendors_double_nothing(setup, senders, point):
    first = POINTS.index(point)  # One kill per point then covers every place.
    for place in itertools.islice(itertools.cycle(PLACES), first, first + TIMES):
        senders.until_killed(setup.start_dying_worker(place, "open", point))
    wait_until_settled(setup, {key: {"alert"} for key in senders.keys})
    for key in senders.keys:
        senders.send(key, "resolved")
    wait_until_settled(setup, {key: set() for key in senders.keys})
    assert faults_met(setup)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_workers_killed_before_acknowledging_double_nothing(setup, senders):
    """Another worker folds the delivery before a third worker is killed: that would make it a dead letter."""
    for _ in range(TIMES):
        senders.until_killed(setup.start_dying_worker("", "", "before-acknowledge"))
    wait_until_settled(setup, {key: {"alert"} for key in senders.keys})
    assert faults_met(setup)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_incidents_are_correct_soon_after_an_outage(tmp_path):
    """Incidents are resolved during the outage as well. The vendors carry out some calls that they don't answer."""
    with setups.run_setup(tmp_path, chaos.RULES, chaos.LIMITS) as setup:
        workers = [setup.worker(name) for name in ("w1", "w2", "w3")]
        senders = Senders(setup)
        for _ in range(6):
            senders.fire()
        wait_until_settled(setup, {key: {"alert"} for key in senders.keys})
        for seed, fault in enumerate(OUTAGE, int(os.environ.get("CHAOS_SEED", "1"))):
            for method in ("POST", "PUT"):
                setup.vendors.fault(**fault, method=method, seed=seed, count=1_000_000)
        over = senders.keys[:3]
        for key in over:
            senders.send(key, "resolved")

        def opened_circuit_breakers() -> int:
            senders.fire()
            lines = [line for worker in workers for line in worker.output.splitlines()]
            return sum("circuit_breaker_state_changed" in line and '"state": "open"' in line for line in lines)

        harness.eventually(
            "circuit breakers open",
            lambda: opened_circuit_breakers() >= MIN_OPENED_CIRCUIT_BREAKERS,
            SETTLE_SECONDS,
            every=AGAIN_SECONDS,
        )
        harness.ask(f"{setup.vendors.url}/faults", method="DELETE")
        wait_until_settled(setup, {key: set() if key in over else {"alert"} for key in senders.keys}, RECOVERY_SECONDS)
