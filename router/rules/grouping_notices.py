"""Notices about alerts that have none of the fields that their rule groups by."""

from collections.abc import Iterable

from router.domain import alerts, decisions
from router.domain.notices import Notice
from router.rules import incident_keys


def notices(routed_alerts: Iterable[tuple[alerts.Alert, decisions.Decision]]) -> list[Notice]:
    """Return a notice for each firing alert without any field of ``group_by``. All such alerts join one incident."""
    return [
        Notice("group_empty", "group_by", why(decision), alert.fingerprint)
        for alert, decision in routed_alerts
        if incident_keys.is_ungrouped(decision.incident_key) and alert.status == "firing"
    ]


def why(decision: decisions.Decision) -> str:
    """Return what an empty group means for an alert; empty if the alert has a field that its rule groups by."""
    if decision.response is None or not incident_keys.is_ungrouped(decision.incident_key):
        return ""
    return (
        f"the alert has none of the fields that rule {decision.response.rule} groups by, so it joins all such alerts "
        f"in incident {decision.incident_key}; group_by: [fingerprint] makes one incident for each alert"
    )
