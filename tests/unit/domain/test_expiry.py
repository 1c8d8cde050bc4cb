"""Alerts that expire unless they are repeated, on a simulated clock."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alert_states, alerts, decisions, fold, heartbeat, incidents, severities, silences, timing

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
MINOR, CRITICAL = severities.Severity.MINOR, severities.Severity.CRITICAL


class Life:
    """One incident and a clock; ``until`` and ``after`` count seconds."""

    def __init__(self, *, follows: bool = False, **seconds: int) -> None:
        durations = {name: value * SECOND for name, value in seconds.items()}
        rule_timing = decisions.Timing(**durations)
        self.response = decisions.Response("r", "f:1", "v", timing=rule_timing, follows_severity=follows)
        self.incident = incidents.Incident(key="k")
        self.now = START
        self.silences: list[silences.Silence] = []
        self.writes = 0
        self._episodes = (f"e{number}" for number in itertools.count(1))

    def fire(self, name: str = "a", until: int = 0, level=MINOR, starts_at: int = 1) -> "Life":
        ends_at = START + until * SECOND if until else 0
        return self.receive(alerts.Alert("am", name, "firing", starts_at, ends_at, title=name), level)

    def resolve(self, name: str = "a") -> "Life":
        return self.receive(alerts.Alert("am", name, "resolved", 1, 2))

    def receive(self, alert: alerts.Alert, level=MINOR) -> "Life":
        arrived = [decisions.Routed(alert, decisions.Decision("k", level, self.response))]
        before, muting = self.incident, self._muting
        self.incident = fold.fold(before, arrived, now=self.now, episode=next(self._episodes), muting=muting)
        self.writes += self.incident is not before
        return self

    def after(self, seconds: float) -> "Life":
        end = self.now + int(seconds * SECOND)
        while 0 < (due := timing.due(self.incident)) <= end:
            self.now = max(self.now, due)
            heard = fold.apply_muting(self.incident, self._muting, now=self.now, episode=next(self._episodes))
            settled = timing.apply_timers(heard, now=self.now, episode=next(self._episodes))
            assert settled is not self.incident, "due, and nothing changed"
            self.incident = settled
        self.now = end
        return self

    def _muting(self, routed, now):
        return silences.Silencer(self.silences).mute(routed.alert, now)

    @property
    def status(self) -> str:
        return self.incident.status


def make_silence(seconds: int) -> silences.Silence:
    return silences.Silence("s", (silences.matcher("source=am"),), START, START + seconds * SECOND, "ann", "works")


def test_unrepeated_alert_ends_at_its_own_time():
    life = Life().fire(until=60).after(59)
    assert life.status == "open"
    life.after(1)
    assert (life.status, life.incident.closed_at) == ("closed", START + 60 * SECOND)
    assert timing.due(life.incident) == 0


def test_repeat_with_a_later_end_extends_the_alert():
    life = Life().fire(until=60).after(50).fire(until=110).after(59)
    assert life.status == "open"
    assert life.after(1).status == "closed"
    assert life.incident.generation == 1


def test_repeat_without_a_later_end_writes_nothing():
    life = Life().fire(until=60).fire(until=60).fire(until=50)
    assert life.writes == 1
    assert life.after(60).status == "closed"


def test_each_alert_ends_at_its_own_expiry():
    life = Life().fire("a", until=60).fire("b", until=90).fire("c").after(60)
    assert life.incident.firing == ["am/b", "am/c"]
    assert life.after(30).incident.firing == ["am/c"]
    assert (life.status, timing.due(life.incident)) == ("open", 0)
    assert life.resolve("c").status == "closed"


def test_alert_received_after_its_end_fires_again():
    life = Life().fire(until=60).after(100).fire(until=160)
    assert (life.status, life.incident.generation) == ("open", 2)
    assert life.after(60).status == "closed"


def test_reprocessed_message_of_an_ended_alert_changes_nothing():
    life = Life().fire(until=60).after(100).fire(until=60)
    assert (life.status, life.incident.generation, life.writes) == ("closed", 1, 1)


def test_old_message_does_not_refire_a_resolved_alert():
    life = Life().fire(until=60).after(60).resolve().fire(until=160)
    assert (life.status, life.incident.generation) == ("closed", 1)
    assert life.fire(until=160, starts_at=3).status == "open"


def test_resolution_before_the_expiry_closes_the_incident():
    life = Life().fire(until=60).after(10).resolve()
    assert (life.status, life.incident.summary.expires_at, timing.due(life.incident)) == ("closed", None, 0)


def test_alert_that_ends_within_hold_opens_nothing():
    life = Life(open_after=90).fire(until=60).after(1000)
    assert (life.status, life.incident.generation) == ("closed", 0)


def test_resolve_after_begins_with_the_last_alert_s_end():
    life = Life(resolve_after=300).fire(until=60).after(359)
    assert (life.status, life.incident.quiet) == ("open", incidents.QuietPeriod(START + 60 * SECOND))
    assert life.after(1).status == "closed"


def test_earlier_of_expiry_and_stale_after_ends_alert():
    assert Life(stale_after=30).fire(until=60).after(30).status == "closed"
    assert Life(stale_after=90).fire(until=60).after(60).status == "closed"


def test_followed_severity_falls_when_the_worst_alert_ends():
    life = Life(follows=True).fire("a", level=MINOR).fire("b", until=60, level=CRITICAL)
    assert life.incident.severity is CRITICAL
    assert life.after(60).incident.severity is MINOR


def test_alert_that_expired_in_inbox_opens_and_ends():
    life = Life().after(600).fire(until=60)
    assert (life.status, life.incident.opened_at) == ("open", START + 600 * SECOND)
    life.after(0)
    assert (life.status, life.incident.generation) == ("closed", 1)


def test_alert_that_ends_while_silenced_opens_nothing():
    life = Life()
    life.silences = [make_silence(300)]
    life.fire(until=60).after(59)
    assert list(life.incident.muted) == ["am/a"]
    assert life.after(silences.RECHECK / SECOND).incident.muted == {}
    assert life.after(1000).incident.generation == 0


def test_alert_repeated_while_silenced_opens_after_the_silence():
    life = Life()
    life.silences = [make_silence(300)]
    life.fire(until=60).after(50).fire(until=400).after(250)
    assert (life.status, life.incident.opened_at) == ("open", START + 300 * SECOND)
    assert life.after(100).status == "closed"


def test_heartbeat_missed_while_silenced_is_awaited_again():
    life = Life(heartbeat=100).fire(until=60)
    life.silences = [make_silence(300)]
    life.after(300)
    assert (life.status, life.incident.muted) == ("closed", {})
    assert life.after(100 * (heartbeat.PARTS + 1) / heartbeat.PARTS).status == "open"


def test_incident_that_becomes_a_heartbeat_drops_alert_ends():
    life = Life().fire(until=600)
    life.response = Life(heartbeat=100).response
    life.fire().after(1000)
    assert (life.status, life.incident.opened_at) == ("open", START + 105 * SECOND)


def test_states_and_incidents_of_earlier_versions_are_read():
    state = msgspec.msgpack.decode(msgspec.msgpack.encode([1, False, 0, 2, 7]), type=alert_states.AlertState)
    assert (state.expired, state.starts_at, state.severity, state.others) == (False, 1, MINOR, ())
    stored = msgspec.to_builtins(incidents.Incident("k", status="open"))
    assert stored == {"incident": "k", "status": "open"}, "what has its default is not stored"
    assert timing.due(msgspec.convert(stored, incidents.Incident)) == 0


def message(name: str, firing: bool, starts_at: int, ends: int, level: severities.Severity) -> decisions.Routed:
    status, ends_at = ("firing", ends and START + ends) if firing else ("resolved", 9)
    decided = decisions.Decision("k", level, decisions.Response("r", "f:1", "v"))
    return decisions.Routed(alerts.Alert("am", name, status, starts_at, ends_at), decided)


arrivals = st.lists(
    st.builds(
        message,
        st.sampled_from("ab"),
        st.booleans(),
        st.integers(1, 2),
        st.integers(0, 3),
        st.sampled_from([MINOR, CRITICAL]),
    ),
    max_size=6,
)


def fold_batches(batches: list[list[decisions.Routed]], now: int) -> incidents.Incident:
    incident = incidents.Incident("k")
    for batch in batches:
        incident = fold.fold(incident, batch, now=START, episode="e")
    while 0 < timing.due(incident) <= now:
        incident = timing.apply_timers(incident, now=now, episode="e")
    return incident


@given(arrivals, st.randoms(use_true_random=False), st.integers(0, 6), st.integers(0, 4))
def test_order_batches_and_repeats_do_not_change_ends(batch, order, cut, later):
    shuffled = [*batch, *batch[:2]]
    order.shuffle(shuffled)
    one = fold_batches([batch], START + later)
    other = fold_batches([shuffled[:cut], shuffled[cut:]], START + later)
    assert (one.alerts, one.status, one.firing) == (other.alerts, other.status, other.firing)
