"""A delivery contradicts itself if an alert with one start time is both firing and resolved."""

import pytest

from router.domain import decisions, deliveries
from router.domain.alerts import Alert
from router.worker import conflicting_alerts

RECEIVED_AT = 1_700_000_000_000_000


def make_alert(fingerprint: str, status: str, starts_at: int) -> Alert:
    return Alert("am", fingerprint, status, starts_at, 0 if status == "firing" else starts_at + 5)


def pack_delivery(*alerts: Alert) -> deliveries.Delivery:
    return deliveries.pack(
        "d1", "am", RECEIVED_AT, [(alert, decisions.Decision(ignored="nothing")) for alert in alerts]
    )


FIRES, ENDS = make_alert("a", "firing", 100), make_alert("a", "resolved", 100)


@pytest.mark.parametrize("alerts", [(FIRES, ENDS), (ENDS, FIRES), (make_alert("b", "firing", 1), ENDS, FIRES)])
def test_conflict_names_the_firing_alert_in_any_order(alerts):
    assert conflicting_alerts.find_conflict(pack_delivery(*alerts)) == FIRES


@pytest.mark.parametrize(
    "alerts",
    [
        (),
        (FIRES,),
        (ENDS,),
        (FIRES, FIRES),
        (ENDS, ENDS),
        (FIRES, make_alert("b", "resolved", 100)),
        (make_alert("a", "firing", 200), ENDS),
        (make_alert("a", "firing", RECEIVED_AT), make_alert("a", "resolved", RECEIVED_AT)),
    ],
    ids=["none", "fires", "ends", "twice", "ended twice", "another", "again", "no start of its own"],
)
def test_consistent_alerts_are_not_a_conflict(alerts):
    assert conflicting_alerts.find_conflict(pack_delivery(*alerts)) is None
