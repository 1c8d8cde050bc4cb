"""New Relic's workflow webhook in its default template: one issue, on each change.

A closed incident within an issue doesn't resolve the issue: only the issue's own state does.
"""

from typing import Any, Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_CLOSED = "closed"


class Config(base.Config):
    """A New Relic workflow that posts to us."""

    kind: Literal["newrelic"] = "newrelic"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the issue of a notification."""
    # The old format describes incidents, whose end isn't the end of their issue.
    if "current_state" in body and "state" not in body:
        raise base.Unparsable(
            "state", "missing: this is the format of the old notification channels; use a workflow with its template"
        )
    state = objects.require_text(body.get("state"), "state", "use the template that New Relic offers for the payload")
    # Every state but closed fires, so a state that New Relic adds later can't end an alert.
    firing = state.casefold() != _CLOSED
    alert = alerts.Alert(
        delivery.source,
        objects.require_text(body.get("id"), "id", "the payload must contain the issue's ID"),
        "firing" if firing else "resolved",
        delivery.moment(body.get("createdAt"), "createdAt") or delivery.now,
        Timestamp(0 if firing else delivery.moment(body.get("updatedAt"), "updatedAt") or delivery.now),
        _join(body.get("title")),
        _read_texts(
            body, {"policy": "alertPolicyNames", "condition": "alertConditionNames", "workflow": "workflowName"}
        ),
        _read_texts(
            body,
            {
                "state": "state",
                "trigger": "trigger",
                "entities": "impactedEntities",
                "incidents": "totalIncidents",
                "sources": "sources",
            },
        ),
        objects.scalar(body.get("priority")),
        objects.scalar(body.get("issueUrl")),
    )
    return base.Parsed([alert])


def _read_texts(body: objects.Members, fields: dict[str, str]) -> dict[str, str]:
    return {name: text for name, key in fields.items() if (text := _join(body.get(key)))}


def _join(value: Any) -> str:
    """Return a text unchanged, and the texts of a list joined by commas."""
    return ", ".join(filter(None, map(objects.scalar, value))) if isinstance(value, list) else objects.scalar(value)


KIND = base.Kind(
    name="newrelic",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="New Relic, workflow webhook",
    # New Relic's behavior after a 4xx is undocumented, and a retry would have the same body.
    unparsable_status=202,
)
