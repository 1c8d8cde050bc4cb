"""The timeline lists important changes once and in order, even during an alert storm."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, fold, incidents, severities, timeline, timing
from router.domain.alerts import Alert

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
MINOR, CRITICAL = severities.Severity.MINOR, severities.Severity.CRITICAL


class Told:
    """An incident and its timeline."""

    def __init__(self, **durations: int) -> None:
        because = (decisions.Because("r", "f:1", (("labels.a", '= "b"'),)),)
        self.response = decisions.Response("r", "f:1", "v7", timing=decisions.Timing(**durations), because=because)
        self.incident = incidents.Incident(key="key")
        self.events: list[timeline.Event] = []
        self.now = START
        self._episodes = (f"{number:032x}" for number in itertools.count(1))
        self.starts = 0

    def fires(self, *names: str, level: severities.Severity = MINOR) -> "Told":
        self.starts += 1
        return self._arrive([Alert("am", name, "firing", self.starts, 0, title=name) for name in names], level)

    def resolves(self, *names: str) -> "Told":
        return self._arrive([Alert("am", name, "resolved", self.starts, self.starts + 1) for name in names])

    def after(self, micros: int) -> "Told":
        self.now += micros
        return self._becomes(timing.apply_timers(self.incident, now=self.now, episode=next(self._episodes)), [])

    def _arrive(self, alerts, level=MINOR) -> "Told":
        arrived = [decisions.Routed(one, decisions.Decision("key", level, self.response)) for one in alerts]
        after = fold.fold(self.incident, arrived, now=self.now, episode=next(self._episodes))
        return self._becomes(after, arrived)

    def _becomes(self, after, arrived) -> "Told":
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
    (opened,) = Told().fires("disk full").events
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
    told = Told().fires("a")
    told.starts -= 1
    assert told.fires("a").what == ["opened"]


def test_raised_severity_is_recorded():
    told = Told().fires("a").fires("b", level=CRITICAL)
    assert told.what == ["opened", "severity", "alerts"]
    assert told.events[1].text == "The severity is raised from minor to critical."


def test_alert_that_ends_during_its_hold_is_recorded():
    told = Told(open_after=90 * SECOND).fires("a")
    assert told.last == "An alert fires. The incident opens if an alert still fires after 90 s."
    told.resolves("a")
    assert told.what == ["held", "closed"]
    assert told.last.endswith("No incident was opened.")


def test_quiet_refiring_and_end_are_recorded():
    told = Told(resolve_after=300 * SECOND).fires("a").resolves("a")
    assert told.events[1].text == "All alerts are resolved. It ends if they stay resolved for 300 s."
    told.fires("a").resolves("a").after(300 * SECOND)
    assert [what for what in told.what if what != "alerts"] == ["opened", "quiet", "firing", "quiet", "closed"]
    assert told.last == "All alerts are resolved."


def test_follow_up_names_the_previous_incident():
    told = Told(reopen_within=300 * SECOND).fires("a").resolves("a").fires("a")
    assert told.what[-1] == "opened"
    assert "It continues IR-" in told.last


def test_first_alerts_are_listed_and_storm_is_counted():
    told = Told().fires("first")
    for number in range(30):
        told.fires(f"a{number}")
    one_by_one = told.what.count("alerts")
    assert one_by_one == timeline.MAX_ALERTS
    for start in range(0, 3000, 100):
        told.fires(*(f"s{start + number}" for number in range(100)))
    sizes = [event.text for event in told.events if event.text.startswith("More than")]
    assert sizes == ["More than 100 alerts fire.", "More than 1000 alerts fire."]
    assert len(told.events) < 30


def test_joining_and_resolved_alerts_are_recorded():
    told = Told().fires("a").fires("b").resolves("b")
    assert [event.text for event in told.events[1:]] == ["am/b fires.", "am/b has resolved."]
    told.fires(*(f"c{number}" for number in range(8)))
    assert told.last == "am/c0, am/c1, am/c2, am/c3, am/c4 and 3 more fire."


moves = st.lists(
    st.one_of(
        st.tuples(st.just("fires"), st.sampled_from("abc")),
        st.tuples(st.just("resolves"), st.sampled_from("abc")),
        st.tuples(st.just("after"), st.sampled_from([SECOND, 100 * SECOND])),
    ),
    max_size=25,
)


@given(moves, st.sampled_from([0, 50 * SECOND]), st.sampled_from([0, 50 * SECOND]), st.sampled_from([0, 500 * SECOND]))
def test_each_opening_and_end_is_recorded_once(happens, hold, resolve_after, reopen_within):
    told = Told(open_after=hold, resolve_after=resolve_after, reopen_within=reopen_within)
    for what, argument in happens:
        getattr(told, what)(argument)
    assert told.what.count("opened") == told.incident.generation
    held = told.what.count("held")
    ended = told.what.count("closed")
    begun = held if hold else told.incident.generation
    assert ended <= begun + told.incident.generation
    assert (told.incident.status == "closed") == (not told.events or told.what[-1] == "closed")
    assert [event.at for event in told.events] == sorted(event.at for event in told.events)
