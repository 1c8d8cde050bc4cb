"""PagerDuty's Events API v2 as an inbound format: senders of PagerDuty events can post to the router instead.

As in PagerDuty, the order of arrival decides: a trigger after a resolve opens a new occurrence, whatever the event's
own time.
"""

from typing import Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_PAYLOAD_LABELS = ("source", "component", "group", "class")


class Config(base.Config):
    """A sender of PagerDuty events that posts to us."""

    kind: Literal["pagerduty-events"] = "pagerduty-events"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read one event: a trigger fires, a resolve resolves, an acknowledgement changes nothing.

    ``about`` has the ``dedup_key`` for the response to the sender.
    """
    action = objects.scalar(body.get("event_action"))
    key = objects.scalar(body.get("dedup_key"))
    if action == "trigger":
        alert = _read_trigger(delivery, body, key)
        return base.Parsed([alert], about={"dedup_key": alert.fingerprint})
    if action not in {"resolve", "acknowledge"}:
        problem = f"{action[:40]!r} is not one of" if action else "missing: send one of"
        raise base.Unparsable("event_action", f"{problem} trigger, acknowledge, and resolve")
    # Only a trigger may omit the key. PagerDuty then generates one.
    key = objects.require_text(key, "dedup_key", f"{action} must name its subject")
    # The sender gets a success, because some clients accept nothing else.
    if action == "acknowledge":
        return objects.no_alert("an acknowledgement changes nothing here", dedup_key=key)
    return base.Parsed(
        [alerts.Alert(delivery.source, key, "resolved", delivery.now, delivery.now)], about={"dedup_key": key}
    )


def _read_trigger(delivery: reading.Reading, body: objects.Members, key: str) -> alerts.Alert:
    payload = objects.members(body.get("payload"), "payload", "required for a trigger")
    title = objects.require_text(payload.get("summary"), "payload.summary")
    labels = {name: text for name in _PAYLOAD_LABELS if (text := objects.scalar(payload.get(name)))}
    client = objects.scalar(body.get("client"))
    if client:
        labels["client"] = client
    return alerts.Alert(
        delivery.source,
        # A repeated event, for example after a lost response, is the same alert.
        key or objects.digest(title, labels),
        "firing",
        delivery.now,
        Timestamp(0),
        title,
        labels,
        _annotations(payload),
        objects.scalar(payload.get("severity")),
        _link(body),
    )


def _annotations(payload: objects.Members) -> dict[str, str]:
    details = payload.get("custom_details")
    # Senders put an object or a text here.
    texts = objects.texts(details if isinstance(details, dict) else {"details": details})
    return objects.texts({"timestamp": payload.get("timestamp")}) | texts


def _link(body: objects.Members) -> str:
    links = body.get("links")
    first = objects.optional(links[0]) if isinstance(links, list) and links else {}
    # A link that the sender chose for this event is more specific than the URL of the sending system.
    return objects.scalar(first.get("href")) or objects.scalar(body.get("client_url"))


def answer(parsed: base.Parsed, _delivery: str) -> dict[str, str]:
    """Make PagerDuty's response. Its clients read it, and some accept nothing else as a success."""
    return {"status": "success", "message": "Event processed", "dedup_key": parsed.about["dedup_key"]}


KIND = base.Kind(
    name="pagerduty-events",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="PagerDuty Events API v2, as an inbound format",
    # After a 4xx, clients of that API drop the event, and some repeat it forever.
    unparsable_status=202,
    answer=answer,
    path="/v2/enqueue",
)
