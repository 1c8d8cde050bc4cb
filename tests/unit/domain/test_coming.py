"""What people are told that time will do to an incident: the same as time then does, in the order in which it does."""

import pytest

from router.domain import alert, decision, fold, incident, severity, timing

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def held(*alerts: alert.Alert, now: int = START, **seconds: int) -> incident.Incident:
    """What is made of alerts that came one after the other, a second apart."""
    timed = decision.Timing(**{name: value * SECOND for name, value in seconds.items()})
    response = decision.Response("r", "f:1", "v", timing=timed)
    found = incident.Incident(key="key")
    for number, one in enumerate(alerts):
        routed = decision.Routed(one, decision.Decision("key", severity.Severity.MAJOR, response))
        found = fold.fold(found, [routed], now=now + number * SECOND, episode=f"e{number}")
    return found


def firing(name: str = "a", ends_at: int = 0) -> alert.Alert:
    return alert.Alert("am", name, "firing", 1, ends_at, title=name)


def resolved(name: str = "a") -> alert.Alert:
    return alert.Alert("am", name, "resolved", 1, 2)


def told(one: incident.Incident) -> list[tuple[int, str]]:
    """Seconds after the start, and the first word or two of what is said."""
    return [((at - START) // SECOND, " ".join(what.split()[:2])) for at, what in timing.coming(one)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (held(firing()), []),
        (held(firing(), hold=90), [(90, "it opens,")]),
        (held(firing(), resolved(), resolve_after=300), [(301, "it is")]),
        (held(firing(), stale_after=3600), [(3600, "alerts that")]),
        (held(firing(), hold=90, stale_after=60), [(60, "alerts that"), (90, "it opens,")]),
        (held(firing(ends_at=START + 20 * SECOND)), [(20, "an alert")]),
        (held(firing(), resolved()), []),
    ],
    ids=["nothing", "held", "quiet", "stale", "both", "expires", "over"],
)
def test_all_that_time_will_do_is_told_the_next_of_it_first(one, expected):
    assert told(one) == expected
    assert timing.due(one) == min((at for at, _ in timing.coming(one)), default=0)


def test_a_heartbeat_that_was_heard_tells_when_it_is_missed():
    one = held(firing(), heartbeat=60)
    [(at, what)] = timing.coming(one)
    assert (at, what) == (timing.due(one), "it opens, if no heartbeat comes")


def test_what_is_muted_tells_until_when_and_by_what():
    routed = decision.Routed(firing(), decision.Decision("key", severity.Severity.MAJOR))
    one = incident.Incident(key="key", muted={"am/a": incident.Muted(routed, START + 5 * SECOND, "upgrade")})
    assert timing.coming(one) == [(START + 5 * SECOND, "an alert is heard of again that is muted: upgrade")]
    assert timing.due(one) == START + 5 * SECOND
