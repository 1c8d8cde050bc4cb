"""Silences match as in Alertmanager. Alerts that still fire when a silence ends are handled then."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, fold, incidents, severities, silences, timing
from router.domain.alerts import Alert

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
RESPONSE = decisions.Response("r", "f:1", "v")


def make_alert(labels=None, **more) -> Alert:
    given = {"source": "am", "fingerprint": "a", "status": "firing", "starts_at": 1, "ends_at": 0, **more}
    return Alert(labels=labels or {}, **given)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ('service="checkout"', {"service": "checkout"}, True),
        ('service="checkout"', {"service": "checkout-2"}, False),
        ("service=checkout", {"service": "checkout"}, True),
        (' service = "checkout" ', {"service": "checkout"}, True),
        ('service!="checkout"', {"service": "search"}, True),
        ('service!="checkout"', {}, True),
        ('service=""', {}, True),
        ('service=~"check.*"', {"service": "checkout"}, True),
        ('service=~"check"', {"service": "checkout"}, False),
        ('service=~"a|checkout"', {"service": "checkout"}, True),
        ('service!~"check.*"', {"service": "search"}, True),
        ('service!~"check.*"', {"service": "checkout"}, False),
        ('source="am"', {}, True),
        ('"host name"="x"', {"host name": "x"}, True),
        ('"host name" =~ "x.*"', {"host name": "xyz"}, True),
        ('"host name"!="x"', {"host name": "x"}, False),
        (r'"a \"quoted\" name"="x"', {'a "quoted" name': "x"}, True),
        ('"Überwachung"="x"', {"Überwachung": "x"}, True),
        ('Überwachung="x"', {"Überwachung": "x"}, True),
        ('9a="x"', {"9a": "x"}, True),
        ('"a=b"="x"', {"a=b": "x"}, True),
        ('source="am"', {"source": "other"}, False),
        (r'path="C:\\x \"y\""', {"path": 'C:\\x "y"'}, True),
    ],
)
def test_matchers_match_as_in_alertmanager(text, labels, matches):
    assert silences.test(silences.matcher(text))(make_alert(labels)) is matches


@pytest.mark.parametrize(
    "text", ["", "service", "=x", 'service=~"("', 'service="x', '""="x"', '"a b="x"', 'a b="x"', "a{b=x"]
)
def test_invalid_matcher_error_shows_the_syntax(text):
    with pytest.raises(silences.InvalidMatcher):
        silences.test(silences.matcher(text))


UTF_8 = st.characters(codec="utf-8")


@given(
    st.text(alphabet=UTF_8, min_size=1, max_size=20),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.text(alphabet=UTF_8, max_size=20),
)
def test_displayed_matcher_parses_to_the_same_matcher(name, operator, value):
    matcher = silences.Matcher(name, operator, value)
    try:
        silences.test(matcher)
    except silences.InvalidMatcher:
        return
    assert silences.matcher(str(matcher)) == matcher


def make_silence(
    text: str = 'service="checkout"', start: int = 0, end: int = 3600, comment: str = "works"
) -> silences.Silence:
    return silences.Silence("s1", (silences.matcher(text),), NOW + start * SECOND, NOW + end * SECOND, "ann", comment)


def test_silence_applies_from_start_to_end():
    one = make_silence(start=10, end=20)
    assert [one.state(NOW + second * SECOND) for second in (9, 10, 19, 20)] == [
        "pending",
        "active",
        "active",
        "expired",
    ]


def test_longest_of_several_silences_is_named():
    silencer = silences.Silencer([make_silence(end=60), make_silence('service=~".*"', end=90, comment="")])
    mute = silencer.mute(make_alert({"service": "checkout"}), NOW)
    assert mute == silences.Mute(NOW + silences.RECHECK, "silence s1 of ann")
    assert silencer.mute(make_alert({"service": "checkout"}), NOW + 89 * SECOND).until == NOW + 90 * SECOND
    assert silencer.mute(make_alert({"service": "checkout"}), NOW + 90 * SECOND) is None
    assert not silences.Silencer([])


class Life:
    """An incident, silences that start and end, and a clock."""

    def __init__(self, **timings: int) -> None:
        self.silences: list[silences.Silence] = []
        self.incident = incidents.Incident(key="k")
        self.response = decisions.Response("r", "f:1", "v", timing=decisions.Timing(**timings))
        self.now = NOW
        self._episodes = (f"e{number}" for number in itertools.count(1))

    def muting(self, routed, now):
        return silences.Silencer(self.silences).mute(routed.alert, now)

    def receive(self, *alerts: Alert) -> "Life":
        arrived = [
            decisions.Routed(alert, decisions.Decision("k", severities.Severity.MAJOR, self.response))
            for alert in alerts
        ]
        self.incident = fold.fold(
            self.incident, arrived, now=self.now, episode=next(self._episodes), muting=self.muting
        )
        return self

    def after(self, seconds: float) -> "Life":
        end = self.now + int(seconds * SECOND)
        while 0 < (due := timing.due(self.incident)) <= end:
            self.now = max(self.now, due)
            heard = fold.apply_muting(self.incident, self.muting, now=self.now, episode=next(self._episodes))
            self.incident = timing.apply_timers(heard, now=self.now, episode=next(self._episodes))
        self.now = end
        return self

    @property
    def status(self) -> str:
        return self.incident.status


CHECKOUT = make_alert({"service": "checkout"})
OVER = make_alert({"service": "checkout"}, status="resolved", ends_at=5)


def start_silenced(**more) -> Life:
    life = Life(**more)
    life.silences = [make_silence()]
    return life.receive(CHECKOUT)


def test_silenced_alert_opens_nothing_and_others_open():
    life = start_silenced()
    assert (life.status, list(life.incident.muted)) == ("closed", ["am/a"])
    assert life.receive(make_alert({"service": "search"}, fingerprint="b")).status == "open"
    assert life.incident.firing == ["am/b"]


def test_alert_still_firing_after_its_silence_opens():
    life = start_silenced().after(3599)
    assert life.status == "closed"
    life.after(1)
    assert (life.status, life.incident.muted, life.incident.opened_at) == ("open", {}, NOW + 3600 * SECOND)


def test_alert_that_ends_while_silenced_opens_nothing():
    life = start_silenced().receive(OVER).after(7200)
    assert (life.incident.generation, life.incident.muted) == (0, {})


def test_late_message_after_a_muted_resolution_opens_nothing():
    life = start_silenced().receive(OVER)
    life.silences = []
    assert life.after(60).receive(CHECKOUT).status == "closed"
    assert life.after(300).receive(CHECKOUT).status == "open"


def test_silence_ended_early_is_noticed_within_15_seconds():
    life = start_silenced().after(60)
    life.silences = []
    assert life.after(15).status == "open"


def test_extended_silence_continues_to_mute():
    life = start_silenced().after(3000)
    life.silences = [make_silence(end=7200)]
    assert life.after(3000).status == "closed"
    assert life.after(1200).status == "open"


def test_silence_does_not_change_open_incidents():
    life = Life().receive(CHECKOUT)
    life.silences = [make_silence()]
    life.receive(make_alert({"service": "checkout"}, starts_at=2))
    assert (life.status, life.incident.muted) == ("open", {})
    life.receive(make_alert({"service": "checkout"}, fingerprint="new"))
    assert (life.incident.firing, list(life.incident.muted)) == (["am/a"], ["am/new"])


def test_repeats_of_silenced_alerts_write_nothing():
    life = start_silenced()
    before = life.incident
    assert life.receive(CHECKOUT, CHECKOUT).incident is before


def test_hold_counts_from_receipt_while_muted():
    """An alert that has fired for longer than the hold opens an incident when its silence ends."""
    life = start_silenced(open_after=90 * SECOND).after(3600)
    assert (life.status, life.incident.opened_at) == ("open", NOW + 3600 * SECOND)
    life = start_silenced(open_after=7200 * SECOND).after(3600)
    assert life.status == "pending"
    assert life.after(3600).status == "open"


def test_silence_that_starts_within_the_hold_mutes():
    life = Life(open_after=90 * SECOND).receive(CHECKOUT).after(30)
    assert life.status == "pending"
    life.silences = [make_silence(start=30)]
    life.after(3569)
    assert (life.status, life.incident.generation, list(life.incident.muted)) == ("closed", 0, ["am/a"])
    assert life.after(1).status == "open"


def test_repeat_within_the_hold_is_muted():
    life = Life(open_after=90 * SECOND).receive(CHECKOUT).after(30)
    life.silences = [make_silence(start=30)]
    life.receive(CHECKOUT)
    assert (life.status, life.incident.firing, list(life.incident.muted)) == ("closed", [], ["am/a"])


def test_one_of_two_held_alerts_is_muted():
    life = Life(open_after=90 * SECOND).receive(CHECKOUT, make_alert({"service": "search"}, fingerprint="b")).after(30)
    life.silences = [make_silence(start=30)]
    life.after(60)
    assert (life.status, life.incident.firing, list(life.incident.muted)) == ("open", ["am/b"], ["am/a"])
    assert life.incident.opening_alert.fingerprint == "b"


def test_number_of_muted_alerts_is_limited():
    life = Life()
    life.silences = [make_silence()]
    life.receive(
        *(make_alert({"service": "checkout"}, fingerprint=f"f{n}") for n in range(silences.MAX_MUTED_ALERTS + 10))
    )
    assert len(life.incident.muted) == silences.MAX_MUTED_ALERTS


def test_incident_counts_messages_beyond_its_alert_limit():
    life = Life()
    life.receive(*(make_alert({}, fingerprint=f"f{n}") for n in range(fold.MAX_HELD_ALERTS + 7)))
    assert (life.incident.still_fires, life.incident.overflow_count) == (fold.MAX_HELD_ALERTS, 7)
    life.receive(make_alert({}, fingerprint="f0", status="resolved", ends_at=9))
    assert life.receive(make_alert({}, fingerprint="late")).incident.still_fires == fold.MAX_HELD_ALERTS
    assert "am/late" in life.incident.alerts


def test_resolutions_of_unheld_alerts_do_not_accumulate():
    life = Life()
    for first in range(0, 4 * fold.MAX_HELD_ALERTS, 5000):
        life.receive(
            *(make_alert({}, fingerprint=f"f{n}", status="resolved", ends_at=9) for n in range(first, first + 5000))
        )
    assert len(life.incident.alerts) <= 2 * fold.MAX_HELD_ALERTS


moves = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.sampled_from("ab")),
        st.tuples(st.just("resolve"), st.sampled_from("ab")),
        st.tuples(st.just("after"), st.sampled_from([1, 20, 400])),
        st.tuples(st.just("silence"), st.sampled_from([100, 1000])),
        st.tuples(st.just("expire"), st.none()),
    ),
    max_size=20,
)


@given(moves)
def test_firing_alert_is_eventually_processed_despite_silences(happens):
    life = Life()
    fires: dict[str, int] = {}
    for step, (what, argument) in enumerate(happens, 1):
        if what == "fire":
            fires.setdefault(argument, step)
            life.receive(make_alert({"service": "checkout"}, fingerprint=argument, starts_at=fires[argument]))
        elif what == "resolve" and argument in fires:
            starts_at = fires.pop(argument)
            life.receive(
                make_alert({}, fingerprint=argument, status="resolved", starts_at=starts_at, ends_at=starts_at + 1)
            )
        elif what == "after":
            life.after(argument)
        elif what == "silence":
            second = (life.now - NOW) // SECOND
            life.silences = [make_silence(start=second, end=second + argument)]
        elif what == "expire":
            life.silences = []
    life.silences = []
    life.after(10_000)
    assert life.incident.firing == sorted(f"am/{name}" for name in fires)
    assert life.incident.muted == {}
    assert (life.status == "open") == bool(fires)
