"""New firing alerts change an incident exactly as ``fold`` says, whatever it went through before."""

import collections

from hypothesis import event, given
from hypothesis import strategies as st

from router.domain import alerts, decisions, fold, incidents, new_alerts, severities, timeline
from router.worker import aggregator

NOW = 1_700_000_000_000_000
HOUR = 3600 * 1_000_000
TARGETS = (decisions.Target("on-call"), decisions.Target("page", parts={"labels.test": {"true": "a", "no": "b"}}))
RESPONSES = (
    decisions.Response("plain", "rules.yaml:1", "v1"),
    decisions.Response("shown", "rules.yaml:2", "v1", TARGETS),
    decisions.Response("follows", "rules.yaml:3", "v1", TARGETS, follows_severity=True),
    decisions.Response("held", "rules.yaml:4", "v1", TARGETS, decisions.Timing(open_after=HOUR)),
    decisions.Response("slow", "rules.yaml:5", "v1", (), decisions.Timing(resolve_after=HOUR, stale_after=HOUR)),
    decisions.Response("beats", "rules.yaml:6", "v1", (), decisions.Timing(heartbeat=HOUR)),
)


def route(fingerprint, status, at, ends_in, level, response, test) -> decisions.Routed:
    alert = alerts.Alert("am", fingerprint, status, at - 5, at + ends_in if ends_in else 0, labels={"test": test})
    decided = decisions.Decision("key", level, response)
    return decisions.Routed(alert, decided, at)


def messages(fingerprints: str, statuses: tuple[str, ...]) -> st.SearchStrategy[decisions.Routed]:
    return st.builds(
        route,
        fingerprint=st.sampled_from(fingerprints),
        status=st.sampled_from(statuses),
        at=st.integers(-2, 3).map(lambda hours: NOW + hours * HOUR),
        ends_in=st.sampled_from([0, 0, 0, HOUR, 9 * HOUR]),
        level=st.sampled_from([severities.Severity.MINOR, severities.Severity.MINOR, severities.Severity.MAJOR]),
        response=st.sampled_from(RESPONSES[:1] * 9 + RESPONSES),
        test=st.sampled_from(["no"] * 9 + ["true"]),
    )


FIRST = route("z", "firing", NOW, 0, severities.Severity.MAJOR, RESPONSES[0], "no")
batches = st.lists(messages("abc", ("firing", "firing", "resolved")), min_size=1, max_size=3)
histories = st.lists(batches, max_size=3) | st.lists(batches, max_size=2).map(lambda later: [[FIRST], *later])


def after_history(history: list[list[decisions.Routed]]) -> incidents.Incident:
    incident = incidents.Incident("key")
    for number, batch in enumerate(history):
        incident = fold.fold(incident, batch, now=NOW + number * HOUR, episode=f"e{number}")
    return incident


@given(messages("ab", ("firing", "firing", "firing", "resolved")), st.sampled_from(["", "trace"]))
def test_opening_by_new_alert_equals_the_fold(message, trace):
    before, now = incidents.Incident("key"), NOW + HOUR
    after = new_alerts.opened_by("key", message, now=now, episode="e1", accepted_at=7, trace=trace)
    if after is not None:
        assert after == fold.fold(before, [message], now=now, episode="e1", accepted_at=7, trace=trace)
        assert [timeline.opened_event(after, now)] == timeline.events_for_change(before, after, [message], now)
    event(f"opens: {after is not None}")


@given(histories, st.lists(messages("abcdefgh", ("firing",)), min_size=1, max_size=2))
def test_joining_by_new_alerts_equals_the_fold(history, batch):
    before, now = after_history(history), NOW + 4 * HOUR
    after = new_alerts.joined_by(before, batch, now=now)
    if after is not None:
        expected = fold.fold(before, batch, now=now, episode="e9")
        assert after == expected
        assert aggregator.is_visible_change(before, after) == aggregator.is_visible_change(before, expected)
        assert list(timeline.alert_events(before, after, batch, now)) == timeline.events_for_change(
            before, expected, batch, now
        )
    event(f"joins: {after is not None}")


def test_alert_storm_uses_the_fast_path():
    """The two property tests above need batches that take the fast path."""
    ways = collections.Counter()
    incident = incidents.Incident("key")
    for number in range(2 * timeline.MAX_ALERTS):
        at = NOW + number
        message = route(f"f{number}", "firing", at, 0, severities.Severity.MAJOR, RESPONSES[1], "no")
        if number:
            after = new_alerts.joined_by(incident, [message], now=at)
        else:
            after = new_alerts.opened_by("key", message, now=at, episode="e1", accepted_at=at, trace="")
        ways[after is not None] += 1
        assert after == fold.fold(incident, [message], now=at, episode="e1", accepted_at=at)
        incident = after or incident
    assert ways == {True: 2 * timeline.MAX_ALERTS}


def test_worse_or_repeated_alert_needs_the_fold():
    first = route("a", "firing", NOW, 0, severities.Severity.MINOR, RESPONSES[1], "no")
    worse = route("b", "firing", NOW, 0, severities.Severity.MAJOR, RESPONSES[1], "no")
    incident = fold.fold(incidents.Incident("key"), [first], now=NOW, episode="e1")
    assert new_alerts.joined_by(incident, [worse], now=NOW) is None
    assert new_alerts.joined_by(incident, [first], now=NOW) is None


def test_full_incident_needs_the_fold():
    alike = [
        route(f"f{number}", "firing", NOW, 0, severities.Severity.MINOR, RESPONSES[0], "no")
        for number in range(fold.MAX_HELD_ALERTS + 1)
    ]
    incident = fold.fold(incidents.Incident("key"), alike[:-2], now=NOW, episode="e1")
    assert new_alerts.joined_by(incident, alike[-2:], now=NOW) is None
