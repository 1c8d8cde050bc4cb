"""Google Cloud Monitoring's webhook channel: one incident of an alerting policy, when it opens and when it closes."""

from typing import Any, Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_STATUSES: dict[str, alerts.Status] = {"open": "firing", "closed": "resolved"}
_LABELS = {
    "project": "scoping_project_id",
    "policy": "policy_name",
    "condition": "condition_name",
    "resource": "resource_display_name",
}
_ANNOTATIONS = {"summary": "summary", "threshold": "threshold_value", "value": "observed_value"}


class Config(base.Config):
    """A webhook channel of Google Cloud Monitoring that posts to us."""

    kind: Literal["google"] = "google"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the incident of a notification; none if the notification is a test."""
    incident = objects.members(
        body.get("incident"), "incident", "this is not a notification of Google Cloud Monitoring"
    )
    # A test has an incident that looks real, so it is recognized by its version.
    if body.get("version") == "test":
        return objects.no_alert("a test of the notification channel")
    state = objects.scalar(incident.get("state"))
    status = _STATUSES.get(state.casefold())
    if status is None:
        raise base.Unparsable("incident.state", f"{state[:40]!r} is neither open nor closed")
    severity = objects.scalar(incident.get("severity"))
    alert = alerts.Alert(
        delivery.source,
        objects.require_text(incident.get("incident_id"), "incident.incident_id"),
        status,
        delivery.moment(incident.get("started_at"), "incident.started_at") or delivery.now,
        Timestamp(
            0 if status == "firing" else delivery.moment(incident.get("ended_at"), "incident.ended_at") or delivery.now
        ),
        objects.scalar(incident.get("policy_name")) or objects.scalar(incident.get("condition_name")),
        _labels(incident),
        _annotations(incident),
        # Google writes this text for a policy without a severity. It must not look like an unknown severity.
        "" if severity.casefold() == "no severity" else severity,
        objects.scalar(incident.get("url")),
    )
    return base.Parsed([alert])


def _labels(incident: objects.Members) -> dict[str, str]:
    """Return the labels. A more specific label replaces a more general one with the same name."""
    resource, metric = objects.optional(incident.get("resource")), objects.optional(incident.get("metric"))
    metadata = objects.optional(incident.get("metadata"))
    values = {name: incident.get(key) for name, key in _LABELS.items()}
    return {
        **_texts(metadata.get("user_labels")),
        **_texts(resource.get("labels")),
        **_texts(metric.get("labels")),
        **_texts(incident.get("policy_user_labels")),
        **_texts({**values, "resource_type": resource.get("type"), "metric": metric.get("type")}),
    }


def _annotations(incident: objects.Members) -> dict[str, str]:
    documentation = incident.get("documentation")
    # In old versions the text; in newer ones an object that contains it.
    content = documentation.get("content") if isinstance(documentation, dict) else documentation
    subject = objects.optional(documentation).get("subject")
    values = {name: incident.get(key) for name, key in _ANNOTATIONS.items()}
    return _texts({**values, "description": objects.scalar(content), "subject": subject})


def _texts(members: Any) -> dict[str, str]:
    return objects.texts(objects.optional(members))


KIND = base.Kind(
    name="google",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="Google Cloud Monitoring, webhook channel",
    # Google's behavior after a 4xx is undocumented, and a retry would have the same body.
    unparsable_status=202,
)
