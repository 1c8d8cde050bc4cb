"""A CloudWatch alarm that changed its state, whichever envelope it came in: the last step to an alert for both kinds.

The alarm's ARN identifies it, so that the same alarm is the same alert by either way into the same source.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from router.domain import alerts
from router.sources import base, objects, reading

InsufficientData = Literal["ignore", "firing", "resolved"]

_PARTS_OF_AN_ARN = 7  # arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a name


class Metric(msgspec.Struct, frozen=True):
    """One of the metrics that an alarm watches."""

    namespace: str = ""
    name: str = ""
    dimensions: dict[str, str] = {}


class Alarm(msgspec.Struct, frozen=True):
    """What both envelopes say of an alarm; ``state`` is CloudWatch's own word, ``changed_at`` 0 where there is none."""

    name: str
    state: str
    arn: str = ""
    account: str = ""
    region: str = ""
    changed_at: int = 0
    metrics: list[Metric] = []
    annotations: dict[str, str] = {}


def parsed(delivery: reading.Reading, alarm: Alarm, insufficient_data: InsufficientData) -> base.Parsed:
    """The alert that this state stands for; none for INSUFFICIENT_DATA where that is to be ignored.

    ``base.Unparsable`` where the state is none of CloudWatch's three.
    """
    meanings: dict[str, InsufficientData] = {
        "ALARM": "firing",
        "OK": "resolved",
        "INSUFFICIENT_DATA": insufficient_data,
    }
    status = meanings.get(alarm.state)
    if status is None:
        raise base.Unparsable("state", f"{alarm.state[:40]!r} is none of ALARM, OK and INSUFFICIENT_DATA")
    if status == "ignore":
        return objects.no_alert("INSUFFICIENT_DATA changes nothing, by the source's settings", alarm=alarm.name)
    at = alarm.changed_at or delivery.now
    region = _region(alarm)
    alert = alerts.Alert(
        delivery.source,
        alarm.arn or f"{alarm.account}/{alarm.region}/{alarm.name}",
        status,
        at,
        0 if status == "firing" else at,
        f"{alarm.name} (insufficient data)" if alarm.state == "INSUFFICIENT_DATA" else alarm.name,
        _labels(alarm, region),
        {"state": alarm.state, **alarm.annotations},
        link=_link(alarm, region),
    )
    return base.Parsed([alert])


def metrics(found: Any) -> Iterator[objects.Members]:
    """The metrics of an alarm that watches several or computes with them; those that are only computed have none."""
    for item in found if isinstance(found, list) else []:
        query = objects.optional(item)
        statistic = objects.optional(query.get("MetricStat") or query.get("metricStat"))
        metric = objects.optional(statistic.get("Metric") or statistic.get("metric"))
        if metric:
            yield metric


def _region(alarm: Alarm) -> str:
    """The region's code; outside of an ARN, CloudWatch names regions as people do."""
    parts = alarm.arn.split(":", _PARTS_OF_AN_ARN - 1)
    return parts[3] if len(parts) == _PARTS_OF_AN_ARN else alarm.region


def _labels(alarm: Alarm, region: str) -> dict[str, str]:
    """Dimensions by their own names, but only those on which all metrics of the alarm agree."""
    labels: dict[str, str] = {}
    pairs = [pair for metric in alarm.metrics for pair in metric.dimensions.items()]
    pairs += [("namespace", metric.namespace) for metric in alarm.metrics]
    pairs += [("metric", metric.name) for metric in alarm.metrics]
    for name, value in pairs:
        labels[name] = value if labels.get(name, value) == value else ""
    labels |= {"alarm": alarm.name, "account": alarm.account, "region": region}
    return {name: value for name, value in labels.items() if value}


def _link(alarm: Alarm, region: str) -> str:
    """The alarm in the console, which no message links to; other partitions have consoles elsewhere."""
    if not alarm.arn.startswith("arn:aws:") or not region:
        return ""
    place = urllib.parse.quote(region, safe="")
    name = urllib.parse.quote(alarm.name, safe="")
    return f"https://{place}.console.aws.amazon.com/cloudwatch/home?region={place}#alarmsV2:alarm/{name}"
