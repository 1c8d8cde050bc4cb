"""ThousandEyes' alert webhooks: one alert of a test, when it is triggered and when it is cleared."""

from typing import Any, ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _names(items: Any, member: str) -> str:
    entries = [objects.optional(item) for item in items] if isinstance(items, list) else []
    return ",".join(filter(None, (objects.scalar(item.get(member)) for item in entries)))


def _add_names(body: objects.Members) -> objects.Members:
    """Add the names of agents and test labels, which are lists of objects, and the times.

    The times with the suffix Zoned include the time zone.
    """
    alert = objects.optional(body.get("alert"))
    starts_at, ends_at = (
        objects.scalar(alert.get(f"{name}Zoned") or alert.get(name)).strip() for name in ("dateStart", "dateEnd")
    )
    labels = alert.get("testLabels")
    groups = (
        [objects.scalar(objects.optional(label).get("name")) for label in labels] if isinstance(labels, list) else []
    )
    return {
        **body,
        "groups": {name: "true" for name in groups if name},
        "agents": _names(alert.get("agents"), "agentName"),
        "starts": starts_at or None,
        "ends": ends_at or None,
    }


PRESET = preset.Preset(
    mapping={
        "title": "alert.ruleName || alert.testName",
        "status": {
            "path": "eventType",
            "firing": ["alert_notification_trigger", "trigger"],
            "resolved": ["alert_notification_clear", "clear"],
        },
        # A rule has a separate alert for each test, and for each violation.
        "fingerprint": "alert.alertId",
        "severity": "alert.severity",
        "labels": {
            "*": "groups",
            "rule": "alert.ruleName",
            "test": "alert.testName",
            "test_id": "alert.testId",
            "type": "alert.type",
            "account_group": "alert.accountGroupName",
        },
        "annotations": {
            "description": "alert.ruleExpression",
            "agents": "agents",
            "target": "alert.testTargetsDescription[0]",
            "violations": "alert.violationCount",
        },
        "starts_at": "starts",
        "ends_at": "ends",
        "link": "alert.permalink",
    },
    ignored=frozenset({"*"}),
    shape=_add_names,
)


class Config(preset.Config):
    """A ThousandEyes webhook that posts to us."""

    kind: Literal["thousandeyes"] = "thousandeyes"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "ThousandEyes, alert notifications by webhook")
