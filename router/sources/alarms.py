"""CloudWatch alarms that changed their state: the conversion to alerts that both envelopes share.

An alarm is identified by its ARN, so SNS and EventBridge deliver the same alert to the same source.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

InsufficientData = Literal["ignore", "firing", "resolved"]

_PARTS_OF_AN_ARN = 7  # arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a name


class Metric(msgspec.Struct, frozen=True):
    """One of the metrics that an alarm watches."""

    namespace: str = ""
    name: str = ""
    dimensions: dict[str, str] = {}


class Alarm(msgspec.Struct, frozen=True):
    """The content of an alarm in both envelopes.

    ``state`` is CloudWatch's own word. ``changed_at`` is 0 if the time is missing.
    """

    name: str
    state: str
    arn: str = ""
    account: str = ""
    region: str = ""
    changed_at: Timestamp = Timestamp(0)
    metrics: list[Metric] = []
    annotations: dict[str, str] = {}


def parse(delivery: reading.Reading, alarm: Alarm, insufficient_data: InsufficientData) -> base.Parsed:
    """Return the alert for this state; none for INSUFFICIENT_DATA if the settings ignore that state.

    Raises ``base.Unparsable`` if the state isn't one of CloudWatch's three.
    """
    meanings: dict[str, InsufficientData] = {
        "ALARM": "firing",
        "OK": "resolved",
        "INSUFFICIENT_DATA": insufficient_data,
    }
    status = meanings.get(alarm.state)
    if status is None:
        raise base.Unparsable("state", f"{alarm.state[:40]!r} is not ALARM, OK, or INSUFFICIENT_DATA")
    # Missing data says nothing about the watched system: it may be idle, or stopped on purpose.
    if status == "ignore":
        return objects.no_alert("the source's settings ignore INSUFFICIENT_DATA", alarm=alarm.name)
    # CloudWatch sends only the time of this transition. It is the start of a firing alarm and the end of a resolved
    # one.
    at = alarm.changed_at or delivery.now
    region = _region(alarm)
    alert = alerts.Alert(
        delivery.source,
        # Names of alarms are unique only within one region of an account.
        alarm.arn or f"{alarm.account}/{alarm.region}/{alarm.name}",
        status,
        at,
        Timestamp(0 if status == "firing" else at),
        f"{alarm.name} (insufficient data)" if alarm.state == "INSUFFICIENT_DATA" else alarm.name,
        _labels(alarm, region),
        {"state": alarm.state, **alarm.annotations},
        link=_link(alarm, region),
    )
    return base.Parsed([alert])


def metrics(members: Any) -> Iterator[objects.Members]:
    """Yield the metrics of an alarm that watches several metrics or a metric math expression.

    Expressions have no metric and are omitted.
    """
    for item in members if isinstance(members, list) else []:
        query = objects.optional(item)
        statistic = objects.optional(query.get("MetricStat") or query.get("metricStat"))
        metric = objects.optional(statistic.get("Metric") or statistic.get("metric"))
        if metric:
            yield metric


def _region(alarm: Alarm) -> str:
    """Return the region's code. Outside of an ARN, CloudWatch uses the display names of regions."""
    parts = alarm.arn.split(":", _PARTS_OF_AN_ARN - 1)
    return parts[3] if len(parts) == _PARTS_OF_AN_ARN else alarm.region


def _labels(alarm: Alarm, region: str) -> dict[str, str]:
    """Return the dimensions by their own names, but only those with the same value in all metrics of the alarm."""
    labels: dict[str, str] = {}
    pairs = [pair for metric in alarm.metrics for pair in metric.dimensions.items()]
    pairs += [("namespace", metric.namespace) for metric in alarm.metrics]
    pairs += [("metric", metric.name) for metric in alarm.metrics]
    for name, value in pairs:
        # An empty value marks a conflict. A third metric with the first value must not restore the label.
        labels[name] = value if labels.get(name, value) == value else ""
    # Rules rely on these three, so a dimension of the same name can't replace them.
    labels |= {"alarm": alarm.name, "account": alarm.account, "region": region}
    return {name: value for name, value in labels.items() if value}


def _link(alarm: Alarm, region: str) -> str:
    """Return the link to the alarm in the console.

    Messages contain none. Other partitions have other console addresses.
    """
    if not alarm.arn.startswith("arn:aws:") or not region:
        return ""
    place = urllib.parse.quote(region, safe="")
    name = urllib.parse.quote(alarm.name, safe="")
    return f"https://{place}.console.aws.amazon.com/cloudwatch/home?region={place}#alarmsV2:alarm/{name}"
