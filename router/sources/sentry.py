"""Sentry's integration platform.

It sends metric alerts, alerts on events, and issues, distinguished by the members of their data.

An alert on an event has no end; it ends with its issue. So both have the issue's fingerprint.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_PROJECT = re.compile(r"/projects/[^/]+/([^/]+)/")
_METRIC_STATUSES: dict[str, alerts.Status] = {
    "critical": "firing",
    "warning": "firing",
    "open": "firing",
    "resolved": "resolved",
}
_ISSUE_STATUSES: dict[str, alerts.Status] = {
    "created": "firing",
    "unresolved": "firing",
    "resolved": "resolved",
    "archived": "resolved",
    "ignored": "resolved",
}
_IGNORED_MEMBERS = ("comment", "comment_id", "error", "installation")


class Config(base.Config):
    """A Sentry integration that posts to us."""

    kind: Literal["sentry"] = "sentry"
    new_issues: Literal["firing", "ignore"] = "firing"


class Sentry:
    """Reads the webhooks of one integration."""

    def __init__(self, config: Config) -> None:
        self._ignores_new_issues = config.new_issues == "ignore"

    def read(self, delivery: reading.Reading, body: objects.Members) -> base.Parsed:
        """Read the alert of a webhook; none if the webhook is about something else, such as a comment."""
        data = objects.members(body.get("data"), "data", "this is not a webhook of Sentry's integration platform")
        action = objects.scalar(body.get("action"))
        # Only the creation is ignored. A resolution must still end an alert on an event of this issue.
        if self._ignores_new_issues and action == "created" and "issue" in data:
            return objects.no_alert("a new issue, which the source's settings ignore")
        for name, reader in _READERS.items():
            if name in data:
                return reader(delivery, data, action)
        if any(name in data for name in _IGNORED_MEMBERS):
            return objects.no_alert(f"{action}: neither an alert nor an issue")
        raise base.Unparsable("data", "it has no metric_alert, event, or issue")


def _metric_alert(delivery: reading.Reading, data: objects.Members, action: str) -> base.Parsed:
    status = _METRIC_STATUSES.get(action)
    if status is None:
        raise base.Unparsable("action", f"{action[:40]!r} is not one of {', '.join(_METRIC_STATUSES)}")
    metric_alert = objects.members(data.get("metric_alert"), "data.metric_alert")
    rule = objects.optional(metric_alert.get("alert_rule"))
    projects = metric_alert.get("projects")
    names = [objects.scalar(project) for project in projects] if isinstance(projects, list) else []
    keys = {"description": "description_text", "title": "description_title"}
    alert = alerts.Alert(
        delivery.source,
        # The prefix keeps apart metric alerts and issues, whose numbers are independent.
        "metric/" + objects.require_text(metric_alert.get("id"), "data.metric_alert.id"),
        status,
        Timestamp(
            _first(delivery, metric_alert, "data.metric_alert", ("date_started", "date_detected")) or delivery.now
        ),
        Timestamp(
            0
            if status == "firing"
            else _first(delivery, metric_alert, "data.metric_alert", ("date_closed",)) or delivery.now
        ),
        objects.scalar(rule.get("name")) or objects.scalar(metric_alert.get("title")),
        _labels(
            resource="metric_alert",
            rule=rule.get("name"),
            project=",".join(filter(None, names)),
            environment=rule.get("environment"),
        ),
        objects.texts({name: data.get(key) for name, key in keys.items()})
        | objects.texts({name: rule.get(name) for name in ("aggregate", "query", "dataset")}),
        # The actions critical and warning are the severity. The action open says nothing about it.
        action if status == "firing" and action != "open" else "",
        objects.scalar(data.get("web_url")),
    )
    return base.Parsed([alert])


def _event_alert(delivery: reading.Reading, data: objects.Members, action: str) -> base.Parsed:
    if action != "triggered":
        raise base.Unparsable("action", f"{action[:40]!r} is not the action of an alert on an event, triggered")
    event = objects.members(data.get("event"), "data.event")
    tags = _tags(event.get("tags"))
    alert = alerts.Alert(
        delivery.source,
        "issue/" + objects.require_text(event.get("issue_id"), "data.event.issue_id"),
        "firing",
        # The clock of the program that reported the event may be wrong. Sentry sets `received` by its own clock.
        Timestamp(
            min(
                _first(delivery, event, "data.event", ("received", "timestamp", "datetime")) or delivery.now,
                delivery.now,
            )
        ),
        Timestamp(0),
        objects.scalar(event.get("title")),
        _labels(
            resource="event_alert",
            rule=data.get("triggered_rule"),
            project=_project(event),
            environment=event.get("environment") or tags.get("environment"),
            platform=event.get("platform"),
        ),
        objects.texts({"culprit": event.get("culprit"), "event_id": event.get("event_id")})
        | {f"tag.{name}": value for name, value in tags.items()},
        objects.scalar(event.get("level")),
        objects.scalar(event.get("web_url")) or objects.scalar(event.get("issue_url")),
    )
    return base.Parsed([alert])


def _issue(delivery: reading.Reading, data: objects.Members, action: str) -> base.Parsed:
    status = _ISSUE_STATUSES.get(action)
    if status is None:
        return objects.no_alert(f"{action}: doesn't change whether the issue is resolved")
    issue = objects.members(data.get("issue"), "data.issue")
    project = objects.optional(issue.get("project"))
    alert = alerts.Alert(
        delivery.source,
        "issue/" + objects.require_text(issue.get("id"), "data.issue.id"),
        status,
        # No field says when an issue was resolved or reopened, so the order of arrival decides.
        delivery.now,
        Timestamp(0 if status == "firing" else delivery.now),
        objects.scalar(issue.get("title")),
        _labels(resource="issue", project=project.get("slug"), platform=issue.get("platform")),
        objects.texts({name: issue.get(name) for name in ("culprit", "shortId", "substatus")}),
        objects.scalar(issue.get("level")),
        objects.scalar(issue.get("web_url")) or objects.scalar(issue.get("permalink")),
    )
    return base.Parsed([alert])


_READERS: dict[str, Callable[[reading.Reading, objects.Members, str], base.Parsed]] = {
    "metric_alert": _metric_alert,
    "event": _event_alert,
    "issue": _issue,
}


def _project(event: objects.Members) -> str:
    """Return the project's short name, as issues have it. An event has it in its URL only, besides the number."""
    match = _PROJECT.search(objects.scalar(event.get("url")))
    return match[1] if match else objects.scalar(event.get("project"))


def _labels(**values: Any) -> dict[str, str]:
    return {name: text for name, value in values.items() if (text := objects.scalar(value))}


def _first(delivery: reading.Reading, members: objects.Members, where: str, names: tuple[str, ...]) -> int:
    times = (delivery.moment(members.get(name), f"{where}.{name}") for name in names)
    return next(filter(None, times), 0)


def _tags(tags: Any) -> dict[str, str]:
    """Return the tags by name, without the affected user, because alerts are forwarded to many destinations."""
    pairs = [pair for pair in tags if isinstance(pair, list) and len(pair) == 2] if isinstance(tags, list) else []
    values = {objects.scalar(name): value for name, value in pairs}
    return objects.texts({name: value for name, value in values.items() if name not in {"", "user"}})


KIND = base.Kind(
    name="sentry",
    config=Config,
    make=lambda name, config: objects.Source(name, Sentry(config).read),
    summary="Sentry, integration platform webhooks",
    # Sentry doesn't retry after a 4xx.
    unparsable_status=202,
)
