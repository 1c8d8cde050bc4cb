"""The timeline lists important changes once and in order, even during an alert storm."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, fold, incidents, severities, timeline, timing
from router.domain.alerts import Alert

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
MINOR, CRITICAL = severities.Severity.MINOR, severities.Severity.CRITICAL


class TimelineScene:
    """An incident and its timeline."""

    def __init__(self, **durations: int) -> None:
        because = (decisions.Because("r", "f:1", (("labels.a", '= "b"'),)),)
        self.response = decisions.Response("r", "f:1", "v7", timing=decisions.Timing(**durations), because=because)
        self.incident = incidents.Incident(key="key")
        self.events: list[timeline.Event] = []
        self.now = START
        self._episodes = (f"{number:032x}" for number in itertools.count(1))
        self.starts = 0

    def fire(self, *names: str, level: severities.Severity = MINOR) -> "TimelineScene":
        self.starts += 1
        return self._arrive([Alert("am", name, "firing", self.starts, 0, title=name) for name in names], level)

    def resolve(self, *names: str) -> "TimelineScene":
        return self._arrive([Alert("am", name, "resolved", self.starts, self.starts + 1) for name in names])

    def after(self, micros: int) -> "TimelineScene":
        self.now += micros
        return self._becomes(timing.apply_timers(self.incident, now=self.now, episode=next(self._episodes)), [])

    def _arrive(self, alerts, level=MINOR) -> "TimelineScene":
        arrived = [decisions.Routed(alert, decisions.Decision("key", level, self.response)) for alert in alerts]
        after = fold.fold(self.incident, arrived, now=self.now, episode=next(self._episodes))
        return self._becomes(after, arrived)

    def _becomes(self, after, arrived) -> "TimelineScene":
        self.events += timeline.events_for_change(self.incident, after, arrived, self.now)
        self.incident = after
        return self

    @property
    def what(self) -> list[str]:
        return [event.what for event in self.events]

    @property
    def last(self) -> str:
        return self.events[-1].text


def test_opening_names_alert_rule_version_and_reasons():
    (opened,) = TimelineScene().fire("disk full").events
    assert opened.what == "opened"
    assert opened.text.endswith('by rule r (f:1) for "disk full".')
    assert opened.text.startswith("Opened as IR-")
    detail = opened.detail
    assert (detail["rule"], detail["version"], detail["alert"], detail["severity"]) == (
        "r",
        "v7",
        "am/disk full",
        "minor",
    )
    assert detail["because"] == [["r", "f:1", (("labels.a", '= "b"'),)]]
    assert opened.at == START


def test_repeats_record_no_event():
    told = TimelineScene().fire("a")
    told.starts -= 1
    assert told.fire("a").what == ["opened"]


def test_raised_severity_is_recorded():
    told = TimelineScene().fire("a").fire("b", level=CRITICAL)
    assert told.what == ["opened", "severity", "alerts"]
    assert told.events[1].text == "The severity is raised from minor to critical."


def test_alert_that_ends_during_its_hold_is_recorded():
    told = TimelineScene(open_after=90 * SECOND).fire("a")
    assert told.last == "An alert fires. The incident opens if an alert still fires after 90 s."
    told.resolve("a")
    assert told.what == ["held", "closed"]
    assert told.last.endswith("No incident was opened.")


def test_quiet_refiring_and_end_are_recorded():
    told = TimelineScene(resolve_after=300 * SECOND).fire("a").resolve("a")
    assert told.events[1].text == "All alerts are resolved. It ends if they stay resolved for 300 s."
    told.fire("a").resolve("a").after(300 * SECOND)
    assert [what for what in told.what if what != "alerts"] == ["opened", "quiet", "firing", "quiet", "closed"]
    assert told.last == "All alerts are resolved."


def test_follow_up_names_the_previous_incident():
    told = TimelineScene(reopen_within=300 * SECOND).fire("a").resolve("a").fire("a")
    assert told.what[-1] == "opened"
    assert "It continues IR-" in told.last


def test_first_alerts_are_listed_and_storm_is_counted():
    told = TimelineScene().fire("first")
    for number in range(30):
        told.fire(f"a{number}")
    one_by_one = told.what.count("alerts")
    assert one_by_one == timeline.MAX_ALERTS
    for start in range(0, 3000, 100):
        told.fire(*(f"s{start + number}" for number in range(100)))
    sizes = [event.text for event in told.events if event.text.startswith("More than")]
    assert sizes == ["More than 100 alerts fire.", "More than 1000 alerts fire."]
    assert len(told.events) < 30


def test_joining_and_resolved_alerts_are_recorded():
    told = TimelineScene().fire("a").fire("b").resolve("b")
    assert [event.text for event in told.events[1:]] == ["am/b fires.", "am/b has resolved."]
    told.fire(*(f"c{number}" for number in range(8)))
    assert told.last == "am/c0, am/c1, am/c2, am/c3, am/c4 and 3 more fire."


moves = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.sampled_from("abc")),
        st.tuples(st.just("resolve"), st.sampled_from("abc")),
        st.tuples(st.just("after"), st.sampled_from([SECOND, 100 * SECOND])),
    ),
    max_size=25,
)


@given(moves, st.sampled_from([0, 50 * SECOND]), st.sampled_from([0, 50 * SECOND]), st.sampled_from([0, 500 * SECOND]))
def test_each_opening_and_end_is_recorded_once(happens, hold, resolve_after, reopen_within):
    scene = TimelineScene(open_after=hold, resolve_after=resolve_after, reopen_within=reopen_within)
    for what, argument in happens:
        getattr(scene, what)(argument)
    assert scene.what.count("opened") == scene.incident.generation
    held = scene.what.count("held")
    ended = scene.what.count("closed")
    begun = held if hold else scene.incident.generation
    assert ended <= begun + scene.incident.generation
    assert (scene.incident.status == "closed") == (not scene.events or scene.what[-1] == "closed")
    assert [event.at for event in scene.events] == sorted(event.at for event in scene.events)
