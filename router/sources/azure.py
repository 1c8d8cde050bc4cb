"""Azure Monitor's common alert schema: the essentials have the same shape for every kind of alert.

The shape of the context depends on the monitoring service. The router reads the context's dimensions, values, and links
of conditions, and the user's own properties.
"""

from collections.abc import Iterator
from typing import Any, Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_SCHEMA = "azureMonitorCommonAlertSchema"
_STATUSES: dict[str, alerts.Status] = {"fired": "firing", "resolved": "resolved"}
_LABELS = {
    "rule": "alertRule",
    "signal_type": "signalType",
    "monitoring_service": "monitoringService",
    "resource_type": "resourceType",
    "resource_group": "resourceGroupName",
}
_LINKS = ("linkToFilteredSearchResultsUI", "linkToSearchResultsUI")
_LINKS_V1 = ("LinkToFilteredSearchResultsUI", "LinkToSearchResults")
_VALUES = {"metric": "metricName", "operator": "operator", "threshold": "threshold", "value": "metricValue"}


class Config(base.Config):
    """An Azure Monitor action group that posts to us."""

    kind: Literal["azure"] = "azure"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the alert of a call."""
    if body.get("schemaId") != _SCHEMA:
        raise base.Unparsable(
            "schemaId", f"{_SCHEMA} is expected: enable the common alert schema in the action of the action group"
        )
    data = objects.members(body.get("data"), "data")
    essentials = objects.members(data.get("essentials"), "data.essentials")
    condition = objects.scalar(essentials.get("monitorCondition"))
    status = _STATUSES.get(condition.casefold())
    if status is None:
        raise base.Unparsable("data.essentials.monitorCondition", f"{condition[:40]!r} is neither Fired nor Resolved")
    conditions = list(_conditions(data.get("alertContext")))
    alert = alerts.Alert(
        delivery.source,
        # Azure varies the case of the same ID.
        objects.require_text(essentials.get("alertId"), "data.essentials.alertId").casefold(),
        status,
        delivery.moment(essentials.get("firedDateTime"), "data.essentials.firedDateTime") or delivery.now,
        Timestamp(0 if status == "firing" else _end_time(delivery, essentials) or delivery.now),
        objects.scalar(essentials.get("alertRule")),
        _labels(data, essentials, conditions),
        _annotations(essentials, conditions),
        objects.scalar(essentials.get("severity")),
        _link(essentials, conditions),
    )
    return base.Parsed([alert])


def _end_time(delivery: reading.Reading, essentials: objects.Members) -> int:
    return delivery.moment(essentials.get("resolvedDateTime"), "data.essentials.resolvedDateTime")


def _conditions(context: Any) -> Iterator[objects.Members]:
    """Yield the conditions of a context. Older log alerts (V1) have dimensions and links in the context itself."""
    members = objects.optional(context)
    all_of = objects.optional(members.get("condition")).get("allOf")
    yield from (objects.optional(item) for item in (all_of if isinstance(all_of, list) else []))
    if any(name in members for name in ("Dimensions", *_LINKS_V1)):
        yield {"dimensions": members.get("Dimensions"), **{name: members.get(name) for name in _LINKS_V1}}


def _properties(data: objects.Members) -> dict[str, str]:
    """Return the user's own properties.

    In a context without conditions, ``properties`` are the event's and are omitted.
    """
    context = objects.optional(data.get("alertContext"))
    of_rule = objects.optional(context.get("properties")) if "condition" in context else {}
    return objects.texts({**of_rule, **objects.optional(data.get("customProperties"))})


def _labels(data: objects.Members, essentials: objects.Members, conditions: list[objects.Members]) -> dict[str, str]:
    labels = _properties(data)
    for condition in conditions:
        dimensions = condition.get("dimensions")
        for item in dimensions if isinstance(dimensions, list) else []:
            dimension = objects.optional(item)
            name, value = objects.scalar(dimension.get("name")), objects.scalar(dimension.get("value"))
            if name and value:
                labels[name] = value
    # The essentials come last: a user's property or dimension can't replace a label on which rules rely.
    labels |= {name: text for name, key in _LABELS.items() if (text := objects.scalar(essentials.get(key)))}
    targets = essentials.get("alertTargetIDs")
    target = objects.scalar(targets[0]) if isinstance(targets, list) and targets else ""
    return {**labels, "target": target.casefold()} if target else labels


def _annotations(essentials: objects.Members, conditions: list[objects.Members]) -> dict[str, str]:
    # Only the first condition has annotations, because further conditions would overwrite its values.
    first = conditions[0] if conditions else {}
    return objects.texts(
        {
            "description": essentials.get("description"),
            **{name: first.get(key) for name, key in _VALUES.items()},
            "origin_alert_id": essentials.get("originAlertId"),
        }
    )


def _link(essentials: objects.Members, conditions: list[objects.Members]) -> str:
    # The investigation link comes first, because it leads to the alert. The other links lead to search results.
    links = [essentials.get("investigationLink")]
    for condition in conditions:
        links += [condition.get(name) for name in (*_LINKS, *_LINKS_V1)]
    return next(filter(None, map(objects.scalar, links)), "")


KIND = base.Kind(
    name="azure",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="Azure Monitor, common alert schema",
    # After a 4xx, Azure drops the alert and doesn't call the endpoint for 15 minutes.
    unparsable_status=202,
)
