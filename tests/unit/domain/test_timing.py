"""What time alone does to an incident, said with a clock that the tests move."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alert, decision, fold, incident, severity, timing

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


class Life:
    """One incident and a clock; what is not said fires and resolves the alert ``a``."""

    def __init__(self, **seconds: float) -> None:
        durations = {name: int(value * SECOND) for name, value in seconds.items()}
        self.response = decision.Response("r", "f:1", "v", timing=decision.Timing(**durations))
        self.incident = incident.Incident(key="key")
        self.now = START
        self._episodes = (f"e{number}" for number in itertools.count(1))
        self._starts = 0

    def fires(self, name="a", level=severity.Severity.MINOR, *, anew=True) -> "Life":
        self._starts += anew
        return self._arrives(alert.Alert("am", name, "firing", self._starts, 0, title=name), level)

    def resolves(self, name="a") -> "Life":
        return self._arrives(alert.Alert("am", name, "resolved", self._starts, self._starts + 1))

    def after(self, seconds: float) -> "Life":
        """Move the clock on; whatever falls due meanwhile happens when it falls due."""
        end = self.now + int(seconds * SECOND)
        while (due := timing.due(self.incident)) and due <= end:
            self.now = max(self.now, due)
            settled = timing.settle(self.incident, now=self.now, episode=next(self._episodes))
            assert settled is not self.incident, "due, and nothing changed"
            self.incident = settled
        self.now = end
        return self

    @property
    def status(self) -> str:
        return self.incident.status

    def _arrives(self, one, level=severity.Severity.MINOR) -> "Life":
        routed = decision.Routed(one, decision.Decision("key", level, self.response))
        self.incident = fold.fold(self.incident, [routed], now=self.now, episode=next(self._episodes))
        return self


def test_without_timing_an_incident_opens_and_closes_at_once():
    life = Life().fires()
    assert (life.status, timing.due(life.incident)) == ("open", 0)
    assert (life.resolves().status, timing.due(life.incident)) == ("closed", 0)


def test_an_alert_that_resolves_within_hold_opens_nothing():
    life = Life(hold=90).fires()
    assert (life.status, life.incident.episode) == ("pending", "")
    life.after(89).resolves()
    assert (life.status, life.incident.episode, life.incident.generation) == ("closed", "", 0)
    assert life.after(1000).status == "closed"


def test_what_still_fires_after_hold_opens_with_the_decision_of_the_first_alert():
    life = Life(hold=90).fires("a").after(60).fires("b", severity.Severity.CRITICAL).after(29)
    assert life.status == "pending"
    life.after(1)
    assert (life.status, life.incident.generation) == ("open", 1)
    assert life.incident.opening_alert.fingerprint == "a"
    assert life.incident.severity is severity.Severity.CRITICAL
    assert life.incident.opened_at == START + 90 * SECOND


def test_hold_counts_on_while_anything_fires():
    life = Life(hold=90).fires("a").after(60).fires("b").resolves("a").after(30)
    assert life.status == "open"


def test_hold_begins_anew_after_everything_was_quiet():
    life = Life(hold=90).fires().after(60).resolves().after(10).fires().after(60)
    assert life.status == "pending"
    assert life.after(30).status == "open"


def test_an_incident_ends_only_once_it_was_quiet_long_enough():
    life = Life(resolve_after=300).fires().after(10).resolves().after(299)
    assert life.status == "open"
    life.after(1)
    assert (life.status, life.incident.closed_at) == ("closed", START + 310 * SECOND)


def test_firing_again_while_it_is_quiet_is_the_same_episode():
    life = Life(resolve_after=300).fires().resolves().after(200)
    episode = life.incident.episode
    life.fires().after(200)
    assert (life.status, life.incident.episode, life.incident.generation) == ("open", episode, 1)
    assert life.resolves().after(300).status == "closed"


def test_a_repeated_resolution_does_not_prolong_the_quiet():
    life = Life(resolve_after=300).fires("a").fires("b").resolves("a").resolves("b").after(200)
    assert life.resolves("c").after(100).status == "closed"


def test_firing_again_soon_after_the_end_follows_the_first_and_is_not_held():
    life = Life(hold=60, reopen_within=600).fires().after(60).resolves()
    first = life.incident.episode
    life.after(599).fires()
    assert (life.status, life.incident.follows, life.incident.generation) == ("open", first, 2)
    assert life.incident.episode != first


def test_firing_again_later_is_an_incident_of_its_own():
    life = Life(hold=60, reopen_within=600).fires().after(60).resolves().after(600).fires()
    assert (life.status, life.incident.follows) == ("pending", "")


def test_an_alert_that_is_not_heard_of_any_more_has_ended():
    life = Life(stale_after=3600).fires("a").after(1800).fires("b").after(1799)
    assert life.incident.firing == ["am/a", "am/b"]
    assert life.after(1).incident.firing == ["am/b"]
    assert life.after(1800).status == "closed"


def test_repeats_keep_an_alert_alive_and_cost_a_write_only_once_in_a_while():
    life = Life(stale_after=3600).fires()
    writes = 0
    for _ in range(100):
        before = life.after(100).incident
        writes += life.fires(anew=False).incident is not before
    assert life.status == "open"
    assert writes <= 100 * 100 / 900 + 1


def test_a_stale_alert_that_is_heard_of_after_all_fires_anew():
    life = Life(stale_after=3600).fires().after(3600)
    assert life.status == "closed"
    assert life.fires(anew=False).status == "open"


def test_stale_alerts_end_what_is_pending_too():
    assert Life(hold=7200, stale_after=3600).fires().after(3600).status == "closed"


@pytest.mark.parametrize("status", ["closed", "open"])
def test_nothing_due_leaves_the_very_same_incident(status):
    life = Life(hold=0, resolve_after=10).fires()
    if status == "closed":
        life.resolves().after(10)
    assert life.status == status
    assert timing.settle(life.incident, now=life.now + 10**12, episode="x") is life.incident


durations = st.sampled_from([0, 1, 5, 30])
moves = st.one_of(
    st.tuples(st.just("after"), st.floats(0.5, 20)),
    st.tuples(st.just("fires"), st.sampled_from("ab")),
    st.tuples(st.just("resolves"), st.sampled_from("ab")),
)


@given(
    st.fixed_dictionaries(
        {"hold": durations, "resolve_after": durations, "reopen_within": durations, "stale_after": durations}
    ),
    st.lists(moves, max_size=20),
)
def test_whatever_happens_every_incident_comes_to_its_end(seconds, happens):
    life = Life(**seconds)
    for what, argument in happens:
        before = life.incident
        getattr(life, what)(argument)
        if life.status == "open":
            assert life.incident.episode
        if before.status == "open" and life.incident.generation == before.generation and life.status == "open":
            assert life.incident.severity >= before.severity
        assert (life.status == "pending") <= bool(life.incident.firing)
    life.resolves("a").resolves("b").after(1000)
    assert (life.status, timing.due(life.incident)) == ("closed", 0)
