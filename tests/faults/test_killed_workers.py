"""A worker is killed while it resolves or before it acknowledges, or is suspended: nothing is doubled or left open."""

import pytest

from tests.end_to_end import harness
from tests.faults import setups

PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
ENDINGS = [(place, "resolve", point) for place in PLACES for point in ("after-intent", "after-call")]


@pytest.mark.parametrize(("place", "kind", "point"), ENDINGS)
def test_worker_killed_while_resolving_leaves_nothing_open(setup, place, kind, point):
    dying = setup.start_dying_worker(place, kind, point)
    setup.web.send_alert(severity="critical")
    harness.eventually("the incident is open everywhere", lambda: setup.vendors.is_everywhere("open"))
    setup.web.send_alert(status="resolved")
    assert setups.is_killed(dying)
    setup.worker()
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.is_everywhere("resolved"))


@pytest.mark.parametrize("name", ["w1", "another"])
def test_worker_killed_before_acknowledging_loses_nothing(setup, name):
    """The next worker reads the entry under its own name, or claims it from the dead worker."""
    dying = setup.start_dying_worker("", "", "before-acknowledge")
    setup.web.send_alert(severity="critical")
    assert setups.is_killed(dying)
    setup.worker(name)
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.is_everywhere("open"))


@pytest.mark.parametrize(("first", "second"), [("intent", "intent"), ("", "find")])
def test_two_incidents_open_without_intent_or_search(setup, first, second):
    """Negative control: without the mechanism, the checks fail."""
    dying = setup.start_dying_worker("devhelm", "open", "after-call", first)
    setup.web.send_alert(severity="critical")
    assert setups.is_killed(dying)
    setup.start_dying_worker("", "", "", second).wait_for_output("started")
    harness.eventually("DevHelm has two", lambda: setup.vendors.incidents()["devhelm"] == ["open", "open"])
    assert not setup.vendors.is_everywhere("open")


def test_one_of_two_workers_may_be_killed(setup):
    first = setup.worker("w1")
    setup.worker("w2")
    setup.web.send_alert(severity="critical")
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.is_everywhere("open"))
    first.kill()
    setup.web.send_alert(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.is_everywhere("resolved"))


def sleeping_past_its_lease(setup: setups.Setup, without: str = "") -> harness.Process:
    """A worker is stopped before it opens at DevHelm, and continues after another worker has opened."""
    wake = setup.folder / "wake"
    sleeping = setup.start_dying_worker("devhelm", "open", "before-intent", without, wake)
    setup.web.send_alert(severity="critical")
    sleeping.wait_for_output("asleep")
    setup.worker("another")
    harness.eventually("exactly one incident is open everywhere", lambda: setup.vendors.is_everywhere("open"))
    wake.touch()
    return sleeping


def test_worker_with_expired_lease_changes_nothing(setup):
    sleeping_past_its_lease(setup).wait_for_output("refused")
    assert setup.vendors.is_everywhere("open")
    setup.web.send_alert(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: setup.vendors.is_everywhere("resolved"))


def test_second_incident_opens_without_the_fence(setup):
    """Negative control: without the fence, the check above fails."""
    sleeping_past_its_lease(setup, "fence")
    harness.eventually("DevHelm has two", lambda: len(setup.vendors.incidents()["devhelm"]) == 2)
    assert not setup.vendors.is_everywhere("open")
