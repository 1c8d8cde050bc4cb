"""An incident combines the requests of all its firing alerts, independent of their order."""

import itertools
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, fold, incidents, severities, silences, timing
from router.domain.alerts import Alert
from router.store import codec

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
MINOR, CRITICAL = severities.Severity.MINOR, severities.Severity.CRITICAL


def response(rule: str, *at: str, follows: bool = False, **seconds: int) -> decisions.Response:
    durations = {name: value * SECOND for name, value in seconds.items()}
    targets = tuple(decisions.Target(name, {"title": rule}) for name in at)
    return decisions.Response(
        rule, f"f:{rule}", "v1", targets, timing=decisions.Timing(**durations), follows_severity=follows
    )


TICKETS = response("tickets", "tickets")
PAGES = response("pages", "pager")


class Life:
    """One incident, silences, and a clock that counts seconds from ``START``."""

    def __init__(self) -> None:
        self.incident = incidents.Incident(key="k")
        self.now = START
        self.silences: list[silences.Silence] = []
        self._episodes = (f"e{number}" for number in itertools.count(1))

    def receive(self, alert: Alert, level=MINOR, asks=TICKETS) -> "Life":
        routed = decisions.Routed(alert, decisions.Decision("k", level, asks), self.now)
        episode = next(self._episodes)
        stored = codec.unpack_incident(codec.pack_incident(self.incident))
        self.incident = fold.fold(stored, [routed], now=self.now, episode=episode, muting=self._muting)
        return self

    def _muting(self, routed: decisions.Routed, now: int) -> silences.Mute | None:
        return silences.Silencer(self.silences).mute(routed.alert, now)

    def fire(self, name="a", level=MINOR, asks=TICKETS, **more) -> "Life":
        alert = Alert("am", name, "firing", START - SECOND, 0, title=f"{name} is {level.word}", **more)
        return self.receive(alert, level, asks)

    def resolve(self, name="a") -> "Life":
        return self.receive(Alert("am", name, "resolved", START - SECOND, self.now))

    def after(self, seconds: float) -> "Life":
        end = self.now + int(seconds * SECOND)
        while 0 < (due := timing.due(self.incident)) <= end:
            self.now = max(self.now, due)
            episode = next(self._episodes)
            heard = fold.apply_muting(self.incident, self._muting, now=self.now, episode=episode)
            self.incident = timing.apply_timers(heard, now=self.now, episode=episode)
        self.now = end
        return self

    @property
    def at(self) -> list[str]:
        if self.incident.status != "open":
            return []
        return sorted(target.destination for target in self.incident.response.targets)


def test_alert_that_escalates_adds_the_pager():
    life = Life().fire().after(300)
    assert life.at == ["tickets"]
    life.fire(level=CRITICAL, asks=PAGES)
    assert (life.at, life.incident.generation, life.incident.severity) == (["pager", "tickets"], 1, CRITICAL)
    assert life.incident.opening_alert.title == "a is critical"


def test_joining_alert_adds_the_pager_in_either_order():
    both = response("both", "tickets", "pager")
    warning_first = Life().fire("a").after(300).fire("b", CRITICAL, both)
    critical_first = Life().fire("b", CRITICAL, both).after(300).fire("a")
    assert warning_first.at == critical_first.at == ["pager", "tickets"]


def test_destinations_stay_until_the_incident_ends():
    life = Life().fire("a").fire("b", CRITICAL, PAGES).after(60).resolve("b")
    assert life.at == ["pager", "tickets"]
    assert life.resolve("a").incident.status == "closed"


def test_next_episode_starts_without_previous_destinations():
    life = Life().fire("a").fire("b", CRITICAL, PAGES).resolve("a").resolve("b").after(600).fire("a")
    assert (life.incident.generation, life.at) == (2, ["tickets"])


def test_pending_incident_opens_at_the_earliest_requested_time():
    slow, fast = response("slow", "tickets", open_after=600), response("fast", "pager", open_after=60)
    life = Life().fire("a", asks=slow).after(300).fire("b", CRITICAL, fast).after(59)
    assert life.incident.status == "pending"
    life.after(1)
    assert (life.at, life.incident.opened_at) == (["pager"], START + 360 * SECOND)
    assert life.after(240).at == ["pager", "tickets"]


def test_alert_without_hold_opens_a_pending_incident_immediately():
    life = Life().fire("a", asks=response("slow", "tickets", open_after=600)).after(10).fire("b", asks=PAGES)
    assert life.at == ["pager"]


def test_hold_of_an_escalation_counts_from_the_escalation():
    held = response("pages", "pager", open_after=120)
    life = Life().fire().after(300).fire(level=CRITICAL, asks=held).after(119)
    assert life.at == ["tickets"]
    assert life.after(1).at == ["pager", "tickets"]


def test_escalation_reverted_within_its_hold_adds_nothing():
    held = response("pages", "pager", open_after=120)
    life = Life().fire().after(300).fire(level=CRITICAL, asks=held).after(60).fire()
    assert life.after(600).at == ["tickets"]


def test_muted_escalation_adds_nothing_until_the_silence_ends():
    life = Life().fire()
    life.silences = [
        silences.Silence("s", (silences.matcher("severity=critical"),), START, START + 600 * SECOND, "ann")
    ]
    life.fire(level=CRITICAL, asks=PAGES, severity="critical")
    assert (life.at, life.incident.firing, list(life.incident.muted)) == (["tickets"], ["am/a"], ["am/a"])
    assert life.after(599).at == ["tickets"]
    assert life.after(1).at == ["pager", "tickets"]


def test_worst_alert_determines_the_texts_in_either_order():
    for order in (("a", "b"), ("b", "a")):
        life = Life()
        for name in order:
            life.fire(name, *((CRITICAL, PAGES) if name == "b" else (MINOR, TICKETS)))
        assert (life.incident.response.rule, life.incident.opening_alert.fingerprint) == ("pages", "b")


def test_rule_edit_keeps_the_texts_of_open_incidents():
    """An edit adds destinations to an open incident but keeps the text of existing ones."""
    edited = msgspec.structs.replace(TICKETS, version="v2", targets=(*TICKETS.targets, decisions.Target("page")))
    life = Life().fire().after(60).fire(asks=edited)
    assert life.at == ["page", "tickets"]
    assert life.incident.response.version == "v1"


def test_followed_severity_falls_with_the_same_start():
    follow = response("follow", "pager", follows=True)
    life = Life().fire(level=CRITICAL, asks=follow).after(60).fire(level=MINOR, asks=follow)
    assert life.incident.severity is MINOR
    assert life.incident.opening_alert.title == "a is minor"
    assert life.fire(level=CRITICAL, asks=follow).incident.severity is CRITICAL


def test_test_alert_adds_nothing_to_a_real_incident():
    life = Life().fire("a").fire("b", CRITICAL, PAGES, labels={"test": "true"})
    assert (life.at, life.incident.opening_alert.fingerprint) == (["tickets"], "a")
    life = Life().fire("b", CRITICAL, PAGES, labels={"test": "true"}).fire("a")
    assert (life.at, life.incident.opening_alert.fingerprint) == (["tickets"], "a")


def test_incident_of_an_earlier_version_is_followed():
    """A document without asks uses those of its only response."""
    opened = Life().fire().incident
    life = Life()
    life.incident = msgspec.structs.replace(opened, asks=())
    assert life.fire("b", CRITICAL, PAGES).at == ["pager", "tickets"]
    life = Life().fire(asks=response("slow", "tickets", open_after=60))
    life.incident = msgspec.structs.replace(life.incident, asks=())
    assert life.after(60).at == ["tickets"]


def test_stale_alert_adds_no_destinations():
    stale = response("pages", "pager", open_after=120, stale_after=60)
    life = Life().fire("a").fire("b", CRITICAL, stale).after(600)
    assert (life.at, life.incident.firing) == (["tickets"], ["am/a"])
    assert timing.due(life.incident) == 0


class Firing(NamedTuple):
    """A firing alert of the permutation test."""

    name: str
    level: severities.Severity
    asks: decisions.Response


ASKS = [
    TICKETS,
    PAGES,
    response("held", "page", open_after=60),
    response("slow", "tickets", "chat", open_after=120),
    response("both", "tickets", "pager"),
]
firings = st.lists(
    st.builds(Firing, st.sampled_from("abc"), st.sampled_from([MINOR, CRITICAL]), st.sampled_from(ASKS)),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.name,
)


@pytest.mark.parametrize("later", [0, 60, 120])
@given(firings)
def test_arrival_order_does_not_change_notified_destinations(later, alerts):
    outcomes = set()
    for order in itertools.permutations(alerts):
        life = Life()
        for one in order:
            life.fire(*one)
        life.after(later)
        texts = life.incident.response.rule if life.incident.status == "open" else ""
        outcomes.add((tuple(life.at), life.incident.severity if life.at else None, texts))
    assert len(outcomes) == 1
    ((at, _, _),) = outcomes
    due = [alert.asks for alert in alerts if alert.asks.timing.open_after <= later * SECOND]
    assert set(at) == {target.destination for asks in due for target in asks.targets}
