"""A missed heartbeat opens an incident, and the next beat resolves it. The clock is simulated."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.domain import alerts, decisions, fold, heartbeat, incidents, severities, silences, timeline, timing

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
EVERY = 300
LATE = EVERY * (heartbeat.PARTS + 1) // heartbeat.PARTS


class Life:
    def __init__(self, every: int = EVERY) -> None:
        self.response = decisions.Response("r", "f:1", "v", timing=decisions.Timing(heartbeat=every * SECOND))
        self.incident = incidents.Incident(key="k")
        self.now = NOW
        self.told: list[str] = []
        self._episodes = (f"{number:032x}" for number in itertools.count(1))

    def beat_once(self, status: alerts.Status = "firing") -> "Life":
        alert = alerts.Alert("am", "watchdog", status, 1, 0, title="Watchdog")
        arrived = [decisions.Routed(alert, decisions.Decision("k", severities.Severity.CRITICAL, self.response))]
        return self._becomes(fold.fold(self.incident, arrived, now=self.now, episode=next(self._episodes)))

    def after(self, seconds: float) -> "Life":
        end = self.now + int(seconds * SECOND)
        while 0 < (due := timing.due(self.incident)) <= end:
            self.now = max(self.now, due)
            self._becomes(timing.apply_timers(self.incident, now=self.now, episode=next(self._episodes)))
        self.now = end
        return self

    def _becomes(self, after: incidents.Incident) -> "Life":
        self.told += [event.text for event in timeline.events_for_change(self.incident, after, [], self.now)]
        self.incident = after
        return self

    @property
    def status(self) -> str:
        return self.incident.status


def test_heartbeat_within_its_interval_opens_nothing():
    life = Life()
    for _ in range(20):
        assert life.beat_once().after(EVERY - 1).status == "closed"
    assert life.incident.generation == 0


def test_missed_heartbeat_opens_one_incident_by_its_rule():
    life = Life().beat_once().after(LATE)
    assert (life.status, life.incident.severity) == ("open", severities.Severity.CRITICAL)
    assert life.incident.opening_alert.title == "Watchdog"
    assert life.told[-1].endswith('because "Watchdog" was not received for 300 s.')
    assert life.after(10 * EVERY).incident.generation == 1


def test_next_heartbeat_ends_the_incident_and_restarts_waiting():
    life = Life().beat_once().after(LATE).after(50).beat_once()
    assert life.status == "closed"
    assert life.told[-1] == "The heartbeat was received again."
    assert life.after(LATE - 1).status == "closed"
    assert life.after(1).status == "open"
    assert life.incident.generation == 2


def test_heartbeat_never_received_is_not_awaited():
    assert timing.due(incidents.Incident(key="k")) == 0
    assert Life().after(10 * EVERY).status == "closed"


def test_resolved_message_is_not_a_heartbeat():
    life = Life().beat_once().after(200).beat_once("resolved").after(LATE - 200)
    assert life.status == "open"
    assert life.beat_once("resolved").status == "open"


def test_heartbeats_in_quick_succession_write_once():
    life = Life().beat_once()
    before = life.incident
    assert life.after(10).beat_once().incident is before
    assert life.after(10).beat_once().incident is not before


def test_changed_interval_applies_from_the_next_heartbeat():
    life = Life().beat_once()
    life.response = decisions.Response("r", "f:1", "v2", timing=decisions.Timing(heartbeat=60 * SECOND))
    assert life.after(1).beat_once().after(63).status == "open"


def test_forgotten_heartbeat_is_not_missed_until_received_again():
    life = Life().beat_once()
    life.incident = heartbeat.forget(life.incident, life.now)
    assert life.after(10 * EVERY).status == "closed"
    assert life.beat_once().after(LATE).status == "open"
    life.incident = heartbeat.forget(life.incident, life.now)
    assert (life.status, life.after(10 * EVERY).incident.generation) == ("closed", 1)


def test_ordinary_alert_is_not_a_heartbeat():
    response = decisions.Response("r", "f:1", "v")
    routed = decisions.Routed(alerts.Alert("am", "a", "firing", 1, 0), decisions.Decision("k", response=response))
    assert heartbeat.find_beats([routed]) == []
    assert heartbeat.find_beats([decisions.Routed(routed.alert, decisions.Decision(ignored="no rule"))]) == []


@given(st.lists(st.floats(0.1, 900), max_size=15))
def test_heartbeat_is_missed_a_twentieth_after_its_interval(pauses):
    life = Life()
    for pause in pauses:
        life.beat_once()
        last = life.now  # The test's own model: a beat counts even if it was not stored.
        life.after(pause)
        silent = life.now - last
        if silent < EVERY * SECOND:
            assert life.status == "closed"
        elif silent >= LATE * SECOND:
            assert life.status == "open"


def muted_until(moment: int):
    def muting(_, now):
        return silences.Mute(moment, "silence s1 of ann") if now < moment else None

    return muting


def test_silenced_heartbeat_is_awaited_again_after_the_silence():
    life = Life().beat_once()
    end = NOW + 1000 * SECOND
    life.now = timing.due(life.incident)
    life.incident = fold.apply_muting(life.incident, muted_until(end), now=life.now, episode="e")
    assert (life.status, timing.due(life.incident), list(life.incident.muted)) == ("closed", end, ["am/watchdog"])
    life.incident = fold.apply_muting(life.incident, muted_until(end), now=end, episode="e")
    life.now = end
    assert (life.incident.muted, life.incident.last_heartbeat_at) == ({}, end)
    assert life.after(LATE).status == "open"


def test_heartbeat_during_an_extended_silence_ends_the_incident():
    life = Life().beat_once()
    life.now = timing.due(life.incident)
    first, second = life.now + 10 * SECOND, life.now + 20 * SECOND
    life.incident = fold.apply_muting(life.incident, muted_until(first), now=life.now, episode="e")
    life.incident = fold.apply_muting(life.incident, muted_until(second), now=first, episode="e")
    assert timing.due(life.incident) == second
    life.now = first + SECOND
    life.beat_once()
    assert (life.incident.muted, life.incident.last_heartbeat_at) == ({}, life.now)


def test_rule_that_becomes_a_heartbeat_ends_open_incidents():
    life = Life()
    ordinary = decisions.Response("r", "f:1", "v0")
    alert = alerts.Alert("am", "watchdog", "firing", 1, 0, title="Watchdog")
    arrived = [decisions.Routed(alert, decisions.Decision("k", severities.Severity.MINOR, ordinary))]
    life.incident = fold.fold(life.incident, arrived, now=NOW, episode="e0")
    assert life.status == "open"
    life.after(10).beat_once()
    assert (life.status, life.incident.still_fires) == ("closed", 0)
    assert life.after(LATE).status == "open"
