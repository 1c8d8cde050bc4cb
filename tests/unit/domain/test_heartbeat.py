"""A heartbeat that is not heard of any more is an incident; its next beat ends it. Time is the tests' own."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.domain import alert, decision, fold, heartbeat, incident, severity, timeline, timing

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
EVERY = 300


class Life:
    def __init__(self, every: int = EVERY) -> None:
        self.response = decision.Response("r", "f:1", "v", timing=decision.Timing(heartbeat=every * SECOND))
        self.incident = incident.Incident(key="k")
        self.now = NOW
        self.told: list[str] = []
        self._episodes = (f"{number:032x}" for number in itertools.count(1))

    def beats(self, status: alert.Status = "firing") -> "Life":
        one = alert.Alert("am", "watchdog", status, 1, 0, title="Watchdog")
        arrived = [decision.Routed(one, decision.Decision("k", severity.Severity.CRITICAL, self.response))]
        return self._becomes(fold.fold(self.incident, arrived, now=self.now, episode=next(self._episodes)))

    def after(self, seconds: float) -> "Life":
        end = self.now + int(seconds * SECOND)
        while 0 < (due := timing.due(self.incident)) <= end:
            self.now = max(self.now, due)
            self._becomes(timing.settle(self.incident, now=self.now, episode=next(self._episodes)))
        self.now = end
        return self

    def _becomes(self, after: incident.Incident) -> "Life":
        self.told += [event.text for event in timeline.told(self.incident, after, [], self.now)]
        self.incident = after
        return self

    @property
    def status(self) -> str:
        return self.incident.status


def test_what_is_heard_of_in_time_opens_nothing():
    life = Life()
    for _ in range(20):
        assert life.beats().after(EVERY - 1).status == "closed"
    assert life.incident.generation == 0


def test_silence_opens_the_incident_as_its_rule_says():
    life = Life().beats().after(EVERY)
    assert (life.status, life.incident.severity) == ("open", severity.Severity.CRITICAL)
    assert life.incident.opening_alert.title == "Watchdog"
    assert life.told[-1].endswith('because "Watchdog" was not heard of for 300 s.')
    assert life.after(10 * EVERY).incident.generation == 1


def test_the_next_beat_ends_it_and_the_waiting_begins_anew():
    life = Life().beats().after(EVERY).after(50).beats()
    assert life.status == "closed"
    assert life.told[-1] == "It is heard of again."
    assert life.after(EVERY - 1).status == "closed"
    assert life.after(1).status == "open"
    assert life.incident.generation == 2


def test_what_was_never_heard_of_is_not_waited_for():
    assert timing.due(incident.Incident(key="k")) == 0
    assert Life().after(10 * EVERY).status == "closed"


def test_that_it_has_resolved_is_no_sign_of_life():
    life = Life().beats().after(200).beats("resolved").after(100)
    assert life.status == "open"
    assert life.beats("resolved").status == "open"


def test_beats_close_to_one_another_cost_one_write():
    life = Life().beats()
    before = life.incident
    assert life.after(10).beats().incident is before
    assert life.after(10).beats().incident is not before


def test_a_rule_that_changes_how_often_is_heeded_with_the_next_beat():
    life = Life().beats()
    life.response = decision.Response("r", "f:1", "v2", timing=decision.Timing(heartbeat=60 * SECOND))
    assert life.after(1).beats().after(60).status == "open"


def test_what_is_forgotten_is_not_missed_until_it_is_heard_of_again():
    life = Life().beats()
    life.incident = heartbeat.forgotten(life.incident, life.now)
    assert life.after(10 * EVERY).status == "closed"
    assert life.beats().after(EVERY).status == "open"
    life.incident = heartbeat.forgotten(life.incident, life.now)
    assert (life.status, life.after(10 * EVERY).incident.generation) == ("closed", 1)


def test_an_ordinary_alert_is_none():
    response = decision.Response("r", "f:1", "v")
    routed = decision.Routed(alert.Alert("am", "a", "firing", 1, 0), decision.Decision("k", response=response))
    assert heartbeat.beats([routed]) == []
    assert heartbeat.beats([decision.Routed(routed.alert, decision.Decision(ignored="no rule"))]) == []


@given(st.lists(st.floats(0.1, 900), max_size=15))
def test_it_is_open_exactly_while_the_last_beat_is_too_long_ago(pauses):
    life = Life()
    for pause in pauses:
        life.beats()
        heard_at = life.incident.beat_at
        life.after(pause)
        silent = life.now - heard_at >= EVERY * SECOND
        assert (life.status == "open") == silent
