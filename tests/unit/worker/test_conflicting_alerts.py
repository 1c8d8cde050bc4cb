"""A delivery contradicts itself if an alert with one start time is both firing and resolved."""

import pytest

from router.domain import decisions, deliveries
from router.domain.alerts import Alert
from router.worker import conflicting_alerts

RECEIVED_AT = 1_700_000_000_000_000


def said(fingerprint: str, status: str, starts_at: int) -> Alert:
    return Alert("am", fingerprint, status, starts_at, 0 if status == "firing" else starts_at + 5)


def delivered(*alerts: Alert) -> deliveries.Delivery:
    return deliveries.pack("d1", "am", RECEIVED_AT, [(one, decisions.Decision(ignored="nothing")) for one in alerts])


FIRES, ENDS = said("a", "firing", 100), said("a", "resolved", 100)


@pytest.mark.parametrize("alerts", [(FIRES, ENDS), (ENDS, FIRES), (said("b", "firing", 1), ENDS, FIRES)])
def test_conflict_names_the_firing_alert_in_any_order(alerts):
    assert conflicting_alerts.find_conflict(delivered(*alerts)) == FIRES


@pytest.mark.parametrize(
    "alerts",
    [
        (),
        (FIRES,),
        (ENDS,),
        (FIRES, FIRES),
        (ENDS, ENDS),
        (FIRES, said("b", "resolved", 100)),
        (said("a", "firing", 200), ENDS),
        (said("a", "firing", RECEIVED_AT), said("a", "resolved", RECEIVED_AT)),
    ],
    ids=["none", "fires", "ends", "twice", "ended twice", "another", "again", "no start of its own"],
)
def test_consistent_alerts_are_not_a_conflict(alerts):
    assert conflicting_alerts.find_conflict(delivered(*alerts)) is None
