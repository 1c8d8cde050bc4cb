"""The predicted changes of an incident equal the changes that happen later, in the same order."""

import pytest

from router.domain import decisions, fold, incidents, severities, timing
from router.domain.alerts import Alert
from router.domain.reasons import Cause, Reason

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def fold_alerts(*alerts: Alert, now: int = START, **seconds: int) -> incidents.Incident:
    """Fold alerts that arrive a second apart."""
    timed = decisions.Timing(**{name: value * SECOND for name, value in seconds.items()})
    response = decisions.Response("r", "f:1", "v", timing=timed)
    incident = incidents.Incident(key="key")
    for number, one in enumerate(alerts):
        routed = decisions.Routed(one, decisions.Decision("key", severities.Severity.MAJOR, response))
        incident = fold.fold(incident, [routed], now=now + number * SECOND, episode=f"e{number}")
    return incident


def firing(name: str = "a", ends_at: int = 0) -> Alert:
    return Alert("am", name, "firing", 1, ends_at, title=name)


def resolved(name: str = "a") -> Alert:
    return Alert("am", name, "resolved", 1, 2)


def list_upcoming(incident: incidents.Incident) -> list[tuple[int, Reason]]:
    """Return the upcoming changes, with seconds after the start."""
    return [((at - START) // SECOND, cause.code) for at, cause in timing.upcoming(incident)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (fold_alerts(firing()), []),
        (fold_alerts(firing(), open_after=90), [(90, Reason.HOLD_ENDS)]),
        (fold_alerts(firing(), resolved(), resolve_after=300), [(301, Reason.QUIET_PERIOD_ENDS)]),
        (fold_alerts(firing(), stale_after=3600), [(3600, Reason.ALERTS_STALE)]),
        (fold_alerts(firing(), open_after=90, stale_after=60), [(60, Reason.ALERTS_STALE), (90, Reason.HOLD_ENDS)]),
        (fold_alerts(firing(ends_at=START + 20 * SECOND)), [(20, Reason.ALERT_EXPIRES)]),
        (fold_alerts(firing(), resolved()), []),
    ],
    ids=["nothing", "held", "quiet", "stale", "both", "expires", "over"],
)
def test_upcoming_changes_are_listed_in_order_of_time(one, expected):
    assert list_upcoming(one) == expected
    assert timing.due(one) == min((at for at, _ in timing.upcoming(one)), default=0)


def test_received_heartbeat_shows_when_it_is_missed():
    one = fold_alerts(firing(), heartbeat=60)
    [(at, cause)] = timing.upcoming(one)
    assert (at, cause.code) == (timing.due(one), Reason.HEARTBEAT_MISSING)


def test_muted_alert_shows_reason_and_end():
    routed = decisions.Routed(firing(), decisions.Decision("key", severities.Severity.MAJOR))
    incident = incidents.Incident(key="key", muted={"am/a": incidents.Muted(routed, START + 5 * SECOND, "upgrade")})
    assert timing.upcoming(incident) == [(START + 5 * SECOND, Cause(Reason.MUTE_ENDS, detail="upgrade"))]
    assert timing.due(incident) == START + 5 * SECOND
