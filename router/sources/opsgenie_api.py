"""Opsgenie's Alert API as an inbound format: a client of that API migrates by changing its base URL and its key.

Jira Service Management serves the same API. As in Opsgenie, the order of arrival decides: a create request after a
close request opens the alert again.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from router.domain import alerts, identity
from router.domain.times import Timestamp
from router.sources import base, calls, objects, reading
from router.sources.presets import tags

_ALERTS = ("v2", "alerts")
_HEARTBEATS = ("v2", "heartbeats")
_REQUESTS = "requests"
_PING = "ping"
# Opsgenie accepts pings by all of these methods.
_PING_METHODS = {"GET", "POST", "PUT", "PATCH"}
_MILLION = 1_000_000
_DEFAULT_PRIORITY = "P3"  # Opsgenie's default for requests without a priority.

# Actions that don't change whether the alert is open. Their clients still expect a success.
_POSTED = """
    acknowledge unacknowledge notes snooze escalate assign responders teams tags details actions
"""
_WITHOUT_EFFECT: Mapping[str, frozenset[str]] = {
    "POST": frozenset(_POSTED.split()),
    "PUT": frozenset({"description", "message", "priority"}),
    "DELETE": frozenset({"details", "tags"}),
}
_SERVED = (
    "this source serves POST /v2/alerts, POST /v2/alerts/{identifier}/close and the other actions on an alert, "
    "DELETE /v2/alerts/{identifier}, GET /v2/alerts/requests/{requestId}, and /v2/heartbeats/{name}/ping"
)
_NO_HEARTBEATS = "heartbeats are not accepted: set `heartbeats: true` of this source, and write a rule with `heartbeat`"


class Config(base.Config):
    """A client of Opsgenie's Alert API that posts to us. ``bearer`` are its API keys (``GenieKey``).

    ``heartbeats``: whether pings of heartbeats are accepted. Each is a firing alert, for a rule with ``heartbeat``.
    """

    schemes: ClassVar[tuple[str, ...]] = ("Bearer", "GenieKey")
    kind: Literal["opsgenie-api"] = "opsgenie-api"
    heartbeats: bool = False


class _Operation(NamedTuple):
    """The operation of a call: ``create``, ``close``, ``ping``, ``request``, or an action without effect here."""

    name: str
    identifier: str = ""


def _parse_operation(call: calls.Call) -> _Operation:
    """Return the operation of a call. Raises ``calls.UnknownCall`` if the router doesn't serve it."""
    method, segments = call.method, call.segments
    head, rest = segments[:2], segments[2:]
    if head == _HEARTBEATS and rest[1:] == (_PING,) and rest[0] and method in _PING_METHODS:
        return _Operation(_PING, rest[0])
    # An empty segment, as in `/v2/alerts//close`, names no alert.
    if head == _ALERTS and all(rest):
        operation = _parse_alert_operation(method, rest)
        if operation is not None:
            return operation
    raise calls.UnknownCall(_SERVED)


def _parse_alert_operation(method: str, rest: tuple[str, ...]) -> _Operation | None:
    match method, rest:
        case "POST", ():
            return _Operation("create")
        case "GET", (name, request_id) if name == _REQUESTS:
            return _Operation("request", request_id)
        case "POST", (identifier, "close"):
            return _Operation("close", identifier)
        # A deleted alert no longer pages in Opsgenie. The router ends it, because it has no deletion.
        case "DELETE", (identifier,):
            return _Operation("close", identifier)
        # Further segments may follow, as in `DELETE /v2/alerts/{id}/tags`.
        case _, (identifier, action, *_) if action in _WITHOUT_EFFECT.get(method, ()):
            return _Operation(action, identifier)
    return None


def reply(config: Config, call: calls.Call) -> calls.Reply | None:
    """Answer a call that delivers nothing. Return None if the call is a delivery."""
    operation = _parse_operation(call)
    # A ping is a firing alert. Without a rule with `heartbeat`, another rule might open an incident for it.
    if operation.name == _PING and not config.heartbeats:
        raise calls.UnknownCall(_NO_HEARTBEATS)
    return _status(operation.identifier) if operation.name == "request" else None


def read(delivery: reading.Reading, members: objects.Members) -> base.Parsed:
    """Read one stored call. A bare body is that of a create request."""
    call, body = calls.unwrap(members)
    source, now = delivery.source, delivery.now
    try:
        operation = _parse_operation(call) if call is not None else _Operation("create")
    except calls.UnknownCall as error:
        raise base.Unparsable("request", str(error)) from error
    if operation.name == "create":
        alert = _read_create(source, objects.members(body, "body", "required in a create request"), now)
        return base.Parsed([alert], about={"action": "create", "alert": alert.fingerprint})
    if operation.name == _PING:
        return base.Parsed([_read_ping(source, operation.identifier, now)], about={"action": _PING})
    # Closing by an unknown number would succeed and leave the alert open.
    if call is not None and call.parameter("identifierType") == "tiny":
        raise base.Unparsable("request", "the router assigns no tiny IDs: use the alias, or the alert ID")
    details = {"action": operation.name, "alert": operation.identifier}
    if operation.name != "close":
        return objects.no_alert(f"{operation.name} does not change whether an alert is open", **details)
    fields = objects.optional(body)
    annotations = objects.texts({"note": fields.get("note"), "by": fields.get("user")})
    alert = alerts.Alert(source, operation.identifier, "resolved", now, now, annotations=annotations)
    return base.Parsed([alert], about=details)


def _read_create(source: str, body: objects.Members, now: Timestamp) -> alerts.Alert:
    title = objects.require_text(body.get("message"), "message", "required in a create request")
    entity, origin = objects.scalar(body.get("entity")), objects.scalar(body.get("source"))
    details = objects.optional(body.get("details"))
    values = {"description": body.get("description"), "note": body.get("note"), "by": body.get("user")}
    return alerts.Alert(
        source,
        # Opsgenie opens a new alert for each request without an alias. A client repeats a request if the response was
        # lost, so here the same message about the same entity is one alert. The key excludes the details, because they
        # contain readings.
        objects.scalar(body.get("alias")) or objects.digest(title, entity, origin),
        "firing",
        now,
        Timestamp(0),
        title,
        objects.texts(
            {
                # Tags and the fields of the request take precedence over details, which may have any names.
                **details,
                **tags.labels(body.get("tags")),
                "entity": entity,
                "source": origin,
                "responders": _names(body.get("responders") or body.get("teams")),
            }
        ),
        objects.texts(values),
        objects.scalar(body.get("priority")) or _DEFAULT_PRIORITY,
        objects.scalar(details.get("link")),
    )


def _names(responders: Any) -> str:
    entries = [objects.optional(entry) for entry in responders] if isinstance(responders, list) else []
    return ",".join(
        filter(
            None, (objects.scalar(entry.get("name") or entry.get("username") or entry.get("id")) for entry in entries)
        )
    )


def _read_ping(source: str, name: str, now: Timestamp) -> alerts.Alert:
    labels = {"heartbeat": name}
    return alerts.Alert(source, f"heartbeat/{name}", "firing", now, Timestamp(0), f"Heartbeat {name}", labels)


def answer(parsed: base.Parsed, delivery: str) -> dict[str, Any]:
    """Make the body that clients of the API expect. The request ID is the delivery ID and the alert key."""
    details = parsed.about
    result = "PONG - Heartbeat received" if details["action"] == _PING else "Request will be processed"
    response: dict[str, Any] = {"result": result, "took": 0.0, "requestId": _request_id(delivery, details)}
    return response | {"no_alert": details["no_alert"]} if "no_alert" in details else response


def _request_id(delivery: str, details: Mapping[str, str]) -> str:
    key = f"{details['action']}/{details.get('alert', '')}".encode()
    # Clients put the ID into a URL, so the alphabet is that for URLs, without padding.
    return f"{delivery}.{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def _status(request_id: str) -> calls.Reply:
    """Answer the status of a request: stored. The router returns a request ID only after it has stored the delivery."""
    delivery, _, encoded = request_id.partition(".")
    made_at = identity.made_at(delivery)
    try:
        key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        key = ""
    # The ID carries its own time and content, so that its status needs no storage. Any other ID is unknown.
    if not made_at or "/" not in key:
        return calls.Reply(404, {"message": "Request not found", "took": 0.0, "requestId": request_id})
    action, _, alert = key.partition("/")
    data = {
        "success": True,
        "isSuccess": True,
        "action": action,
        "processedAt": _iso(made_at),
        "integrationId": "",
        "status": "Request is stored",
        "alertId": alert,
        "alias": alert,
    }
    return calls.Reply(200, {"data": data, "took": 0.0, "requestId": request_id})


def _iso(at: Timestamp) -> str:
    return dt.datetime.fromtimestamp(at / _MILLION, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


KIND = base.Kind(
    name="opsgenie-api",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="Opsgenie's Alert API, as an inbound format",
    answer=answer,
    reply=reply,
)
