"""Time-driven transitions of an incident, on a simulated clock."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alerts, decisions, fold, incidents, severities, timing

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


class Life:
    """One incident and a clock. By default, the alert ``a`` fires and resolves."""

    def __init__(self, **seconds: float) -> None:
        durations = {name: value if name == "flap_changes" else int(value * SECOND) for name, value in seconds.items()}
        self.response = decisions.Response("r", "f:1", "v", timing=decisions.Timing(**durations))
        self.incident = incidents.Incident(key="key")
        self.now = START
        self._episodes = (f"e{number}" for number in itertools.count(1))
        self._starts = 0

    def fire(self, name="a", level=severities.Severity.MINOR, *, anew=True) -> "Life":
        self._starts += anew
        return self._arrives(alerts.Alert("am", name, "firing", self._starts, 0, title=name), level)

    def resolve(self, name="a") -> "Life":
        return self._arrives(alerts.Alert("am", name, "resolved", self._starts, self._starts + 1))

    def after(self, seconds: float) -> "Life":
        """Advance the clock and apply each transition when it is due."""
        end = self.now + int(seconds * SECOND)
        while (due := timing.due(self.incident)) and due <= end:
            self.now = max(self.now, due)
            settled = timing.apply_timers(self.incident, now=self.now, episode=next(self._episodes))
            assert settled is not self.incident, "due, and nothing changed"
            self.incident = settled
        self.now = end
        return self

    @property
    def status(self) -> str:
        return self.incident.status

    def _arrives(self, one, level=severities.Severity.MINOR) -> "Life":
        routed = decisions.Routed(one, decisions.Decision("key", level, self.response))
        self.incident = fold.fold(self.incident, [routed], now=self.now, episode=next(self._episodes))
        return self


def test_incident_without_timing_opens_and_closes_immediately():
    life = Life().fire()
    assert (life.status, timing.due(life.incident)) == ("open", 0)
    assert (life.resolve().status, timing.due(life.incident)) == ("closed", 0)


def test_alert_that_resolves_within_hold_opens_nothing():
    life = Life(open_after=90).fire()
    assert (life.status, life.incident.episode) == ("pending", "")
    life.after(89).resolve()
    assert (life.status, life.incident.episode, life.incident.generation) == ("closed", "", 0)
    assert life.after(1000).status == "closed"


def test_opening_after_hold_uses_the_first_alert_s_decision():
    life = Life(open_after=90).fire("a").after(60).fire("b", severities.Severity.CRITICAL).after(29)
    assert life.status == "pending"
    life.after(1)
    assert (life.status, life.incident.generation) == ("open", 1)
    assert life.incident.opening_alert.fingerprint == "a"
    assert life.incident.severity is severities.Severity.CRITICAL
    assert life.incident.opened_at == START + 90 * SECOND


def test_hold_continues_while_any_alert_fires():
    life = Life(open_after=90).fire("a").after(60).fire("b").resolve("a").after(30)
    assert life.status == "open"


def test_hold_restarts_after_all_alerts_resolved():
    life = Life(open_after=90).fire().after(60).resolve().after(10).fire().after(60)
    assert life.status == "pending"
    assert life.after(30).status == "open"


def test_incident_ends_only_after_its_quiet_period():
    life = Life(resolve_after=300).fire().after(10).resolve().after(299)
    assert life.status == "open"
    life.after(1)
    assert (life.status, life.incident.closed_at) == ("closed", START + 310 * SECOND)


def test_refiring_during_the_quiet_period_continues_the_episode():
    life = Life(resolve_after=300).fire().resolve().after(200)
    episode = life.incident.episode
    life.fire().after(200)
    assert (life.status, life.incident.episode, life.incident.generation) == ("open", episode, 1)
    assert life.resolve().after(300).status == "closed"


def test_repeated_resolution_does_not_extend_the_quiet_period():
    life = Life(resolve_after=300).fire("a").fire("b").resolve("a").resolve("b").after(200)
    assert life.resolve("c").after(100).status == "closed"


def test_refiring_within_reopen_within_skips_the_hold():
    life = Life(open_after=60, reopen_within=600).fire().after(60).resolve()
    first = life.incident.episode
    life.after(599).fire()
    assert (life.status, life.incident.follows, life.incident.generation) == ("open", first, 2)
    assert life.incident.episode != first


def test_refiring_after_reopen_within_is_a_separate_incident():
    life = Life(open_after=60, reopen_within=600).fire().after(60).resolve().after(600).fire()
    assert (life.status, life.incident.follows) == ("pending", None)


def test_unrepeated_alert_becomes_stale():
    life = Life(stale_after=3600).fire("a").after(1800).fire("b").after(1799)
    assert life.incident.firing == ["am/a", "am/b"]
    assert life.after(1).incident.firing == ["am/b"]
    assert life.after(1800).status == "closed"


def test_repeats_extend_an_alert_with_few_writes():
    life = Life(stale_after=3600).fire()
    writes = 0
    for _ in range(100):
        before = life.after(100).incident
        writes += life.fire(anew=False).incident is not before
    assert life.status == "open"
    assert writes <= 100 * 100 / 300 + 1


def test_stale_alert_that_is_received_fires_again():
    life = Life(stale_after=3600).fire().after(3600)
    assert life.status == "closed"
    assert life.fire(anew=False).status == "open"


def test_stale_alerts_close_a_pending_incident():
    assert Life(open_after=7200, stale_after=3600).fire().after(3600).status == "closed"


@pytest.mark.parametrize("status", ["closed", "open"])
def test_incident_without_due_timers_is_unchanged(status):
    life = Life(open_after=0, resolve_after=10).fire()
    if status == "closed":
        life.resolve().after(10)
    assert life.status == status
    assert timing.apply_timers(life.incident, now=life.now + 10**12, episode="x") is life.incident


def test_flapping_alert_opens_after_max_hold():
    life = Life(open_after=90, max_hold=300)
    for _ in range(4):
        life.fire().after(60)
        assert life.status == "pending"
        life.resolve().after(10)
        assert life.status == "closed"
    life.fire().after(19)
    assert life.status == "pending"
    assert life.after(1).status == "open"
    assert life.incident.generation == 1


def test_flapping_alert_without_max_hold_never_opens():
    life = Life(open_after=90)
    for _ in range(100):
        life.fire().after(60).resolve().after(10)
    assert life.incident.generation == 0


def test_interruption_longer_than_hold_restarts_the_hold():
    life = Life(open_after=90, max_hold=300)
    for _ in range(10):
        life.fire().after(60).resolve().after(91)
    assert life.incident.generation == 0
    assert life.fire().after(89).status == "pending"


def start_flapping(**more) -> Life:
    return Life(flap_changes=4, flap_window=600, flap_quiet=300, **more)


def test_flapping_incident_stays_open_until_quiet():
    life = start_flapping(resolve_after=5).fire()
    for _ in range(2):
        life.resolve().after(4).fire()
    assert timing.is_flapping(life.incident)
    life.resolve().after(299)
    assert life.status == "open"
    life.fire().resolve().after(299)
    assert life.status == "open"
    assert life.after(1).status == "closed"
    assert life.incident.generation == 1


def test_reopenings_count_as_flapping():
    life = start_flapping().fire().resolve().fire()
    assert life.incident.generation == 2
    assert life.resolve().status == "closed"
    assert life.fire().resolve().status == "open"
    assert life.after(300).status == "closed"


def test_infrequent_changes_are_not_flapping():
    life = start_flapping(resolve_after=5).fire()
    for _ in range(10):
        life.after(700).resolve().after(4).fire()
    assert not timing.is_flapping(life.incident)
    assert life.resolve().after(5).status == "closed"


def test_number_of_stored_changes_is_limited():
    life = start_flapping(resolve_after=5).fire()
    for _ in range(50):
        life.resolve().fire()
    assert len(life.incident.changes) == 4
    assert Life().fire().resolve().fire().incident.changes == ()


def test_severity_falls_only_if_the_rule_follows_it():
    bad, mild = severities.Severity.CRITICAL, severities.Severity.MINOR
    life = Life()
    assert life.fire("a", mild).fire("b", bad).resolve("b").incident.severity is bad
    life = Life()
    life.response = decisions.Response("r", "f:1", "v", follows_severity=True)
    assert life.fire("a", mild).fire("b", bad).incident.severity is bad
    assert life.resolve("b").incident.severity is mild
    assert life.fire("b", severities.Severity.MAJOR).incident.severity is severities.Severity.MAJOR


def test_followed_severity_falls_when_the_worst_goes_stale():
    life = Life(stale_after=3600)
    life.response = decisions.Response(
        "r", "f:1", "v", timing=decisions.Timing(stale_after=3600 * SECOND), follows_severity=True
    )
    life.fire("b", severities.Severity.CRITICAL).after(1800).fire("a").after(1800)
    assert (life.status, life.incident.severity) == ("open", severities.Severity.MINOR)


durations = st.sampled_from([0, 1, 5, 30])
moves = st.one_of(
    st.tuples(st.just("after"), st.floats(0.5, 20)),
    st.tuples(st.just("fire"), st.sampled_from("ab")),
    st.tuples(st.just("resolve"), st.sampled_from("ab")),
)


@given(
    st.fixed_dictionaries(
        {
            "open_after": durations,
            "resolve_after": durations,
            "reopen_within": durations,
            "stale_after": durations,
            "max_hold": durations,
            "flap_changes": st.sampled_from([0, 2, 3]),
            "flap_window": durations,
            "flap_quiet": durations,
        }
    ),
    st.lists(moves, max_size=20),
)
def test_every_incident_eventually_closes(seconds, happens):
    life = Life(**seconds)
    for what, argument in happens:
        before = life.incident
        getattr(life, what)(argument)
        if life.status == "open":
            assert life.incident.episode
        if before.status == "open" and life.incident.generation == before.generation and life.status == "open":
            assert life.incident.severity >= before.severity
        assert (life.status == "pending") <= bool(life.incident.firing)
    life.resolve("a").resolve("b").after(1000)
    assert (life.status, timing.due(life.incident)) == ("closed", 0)
