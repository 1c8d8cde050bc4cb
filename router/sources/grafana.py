"""Grafana's unified alerting webhook, version 1: conversion of its body to normalized alerts.

The format is Alertmanager's with Grafana's own links, values, and reasons. A rule without data, or with a failed query,
sends a separate alert (``DatasourceNoData``, ``DatasourceError``) with a separate fingerprint.
"""

from typing import Any, Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import alertmanager, base, links, objects, paths, reading

_STATUSES: dict[Any, alerts.Status] = {"firing": "firing", "resolved": "resolved"}
_LINKS = {
    "silence_url": "silenceURL",
    "dashboard_url": "dashboardURL",
    "panel_url": "panelURL",
    "image_url": "imageURL",
    "values": "valueString",
}


class Config(base.Config):
    """A Grafana that posts to us."""

    kind: Literal["grafana"] = "grafana"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read every alert of the group. Each alert has its own status, whatever the group's status."""
    _check_version(body)
    group = body.get("alerts")
    if not isinstance(group, list):
        raise base.Unparsable("alerts", "expected a list of alerts")
    fallback = objects.scalar(body.get("externalURL"))
    read_alerts, rejected = objects.several(
        delivery,
        group,
        "alerts",
        lambda item, where: _alert(delivery, item, where, fallback),
        # The remaining delivery has reported the truncated alerts. A replay must not report them again.
        lambda bad: {**body, "alerts": bad, "truncatedAlerts": 0},
    )
    left_out = body.get("truncatedAlerts")
    # The count is only informative, so an invalid one isn't worth a refusal.
    truncated = max(left_out, 0) if isinstance(left_out, int) else 0
    return base.Parsed(read_alerts, truncated, _about(body), rejected)


def _alert(delivery: reading.Reading, item: Any, where: str, external_url: str) -> alerts.Alert:
    alert = objects.members(item, where)
    status = _STATUSES.get(objects.scalar(alert.get("status")))
    if status is None:
        raise base.Unparsable(f"{where}.status", "expected firing or resolved")
    # Grafana's fingerprint covers labels that it doesn't send, so the fingerprint can't be derived here.
    fingerprint = objects.scalar(alert.get("fingerprint"))
    labels = _labels(delivery, alert, where, needed=not fingerprint)
    annotations = _annotations(alert)
    fingerprint = fingerprint or alertmanager.fingerprint(labels)
    rule = objects.scalar(alert.get("ruleUID"))
    if rule:
        # Titles and folders of rules change. The UID is the only name that a router's rule can rely on.
        labels.setdefault("rule_uid", rule)
    return alerts.Alert(
        delivery.source,
        fingerprint,
        status,
        delivery.moment(alert.get("startsAt"), f"{where}.startsAt") or delivery.now,
        Timestamp(0 if status == "firing" else delivery.moment(alert.get("endsAt"), f"{where}.endsAt") or delivery.now),
        _title(labels, annotations),
        labels,
        annotations,
        labels.get("severity", ""),
        _link(alert, external_url) or external_url,
        external_url,
    )


def _labels(delivery: reading.Reading, alert: objects.Members, where: str, *, needed: bool) -> dict[str, str]:
    """Return the labels. An alert without labels is identified by Grafana's fingerprint, if Grafana sends one."""
    value = alert.get("labels")
    if needed or isinstance(value, dict):
        return objects.texts(objects.members(value, f"{where}.labels"))
    delivery.ignore(f"{where}.labels", f"expected an object, not {paths.kind_of(value)}")
    return {}


def _annotations(alert: objects.Members) -> dict[str, str]:
    annotations = objects.texts(objects.optional(alert.get("annotations")))
    links = {name: objects.scalar(alert.get(key)) for name, key in _LINKS.items()}
    # An annotation that a user has written takes precedence over a generated link of the same name.
    return {**{name: link for name, link in links.items() if link}, **annotations}


def _title(labels: dict[str, str], annotations: dict[str, str]) -> str:
    name = labels.get("rulename") or labels.get("alertname", "")
    title = annotations.get("summary") or annotations.get("title") or name or annotations.get("description", "")
    reason = annotations.get("grafana_state_reason", "")
    # Without the reason, a rule without data would have the title of a real alert.
    return f"{title} ({reason})" if reason and labels.get("alertname", "").startswith("Datasource") else title


def _link(alert: objects.Members, external_url: str) -> str:
    """Return the first absolute link. The link of a test alert is relative to Grafana's own address."""
    candidates = (objects.scalar(alert.get(key)) for key in ("generatorURL", "panelURL", "dashboardURL"))
    return next(filter(None, (links.absolute(link, external_url) for link in candidates)), "")


def _check_version(body: objects.Members) -> None:
    """Reject the formats that resemble this one, each with a remedy."""
    version = objects.scalar(body.get("version"))
    if version == "1":
        return
    # Alertmanager's body has nearly the same fields, and would be read without its labels of the route.
    if version == "4":
        raise base.Unparsable("version", "'4' is Alertmanager's webhook: use a source of kind alertmanager")
    if "ruleId" in body or "evalMatches" in body:
        raise base.Unparsable(
            "version", "missing: this is Grafana's legacy alerting (version 8 and before); use unified alerting"
        )
    problem = f"{version[:40]!r} is not Grafana's version '1'" if version else "missing: this is not Grafana's webhook"
    raise base.Unparsable(
        "version",
        f"{problem}; for a custom payload, use a source of kind json, or remove the payload from the contact point",
    )


def _about(body: objects.Members) -> dict[str, str]:
    keys = {"receiver": "receiver", "group_key": "groupKey", "org": "orgId"}
    return {name: text for name, key in keys.items() if (text := objects.scalar(body.get(key)))}


KIND = base.Kind(
    retry_window=base.ALERTMANAGER_RETRY_WINDOW,
    name="grafana",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="Grafana alerting, webhook contact point",
    # After a 4xx, Grafana sends the group again at every group_interval, forever.
    unparsable_status=202,
)
