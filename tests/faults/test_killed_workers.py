"""A worker is killed while it resolves or before it acknowledges, or is suspended: nothing is doubled or left open."""

import pytest

from tests.end_to_end import harness
from tests.faults import setups

PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
ENDINGS = [(place, "resolve", point) for place in PLACES for point in ("after-intent", "after-call")]


@pytest.mark.parametrize(("place", "kind", "point"), ENDINGS)
def test_worker_killed_while_resolving_leaves_nothing_open(setup, place, kind, point):
    dying = setup.worker_that_dies(place, kind, point)
    setup.web.receives(severity="critical")
    harness.eventually("the incident is open everywhere", lambda: setup.vendors.everywhere("open"))
    setup.web.receives(status="resolved")
    assert setups.killed(dying)
    setup.worker()
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.everywhere("resolved"))


@pytest.mark.parametrize("name", ["w1", "another"])
def test_worker_killed_before_acknowledging_loses_nothing(setup, name):
    """The next worker reads the entry under its own name, or claims it from the dead worker."""
    dying = setup.worker_that_dies("", "", "before-acknowledge")
    setup.web.receives(severity="critical")
    assert setups.killed(dying)
    setup.worker(name)
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.everywhere("open"))


@pytest.mark.parametrize(("first", "second"), [("intent", "intent"), ("", "find")])
def test_two_incidents_open_without_intent_or_search(setup, first, second):
    """Negative control: without the mechanism, the checks fail."""
    dying = setup.worker_that_dies("devhelm", "open", "after-call", first)
    setup.web.receives(severity="critical")
    assert setups.killed(dying)
    setup.worker_that_dies("", "", "", second).wait_for_output("started")
    harness.eventually("DevHelm has two", lambda: setup.vendors.incidents()["devhelm"] == ["open", "open"])
    assert not setup.vendors.everywhere("open")


def test_one_of_two_workers_may_be_killed(setup):
    first = setup.worker("w1")
    setup.worker("w2")
    setup.web.receives(severity="critical")
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.everywhere("open"))
    first.kill()
    setup.web.receives(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.everywhere("resolved"))


def sleeping_past_its_lease(setup: setups.Setup, without: str = "") -> harness.Process:
    """A worker is stopped before it opens at DevHelm, and continues after another worker has opened."""
    wake = setup.folder / "wake"
    sleeping = setup.worker_that_dies("devhelm", "open", "before-intent", without, wake)
    setup.web.receives(severity="critical")
    sleeping.wait_for_output("asleep")
    setup.worker("another")
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.everywhere("open"))
    wake.touch()
    return sleeping


def test_worker_with_expired_lease_changes_nothing(setup):
    sleeping_past_its_lease(setup).wait_for_output("refused")
    assert setup.vendors.everywhere("open")
    setup.web.receives(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.everywhere("resolved"))


def test_second_incident_opens_without_the_fence(setup):
    """Negative control: without the fence, the check above fails."""
    sleeping_past_its_lease(setup, "fence")
    harness.eventually("DevHelm has two", lambda: len(setup.vendors.incidents()["devhelm"]) == 2)
    assert not setup.vendors.everywhere("open")
