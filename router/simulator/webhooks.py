"""The vendors' outgoing webhooks: signed, and sent once for each incident or post that a call has changed.

incident.io signs by https://www.standardwebhooks.com. DevHelm signs the time and the body. Neither vendor documents the
schema of every event. The ID of the changed object is in the same place as in incident.io's documented events.
"""

import asyncio
import base64
import hmac
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pydantic

from router.outbound import errors, fetch
from router.simulator import vendor
from router.simulator.options import Options

_TIMEOUT_SECONDS = 5.0
_INCIDENT_IO = "incident-io"
_SECOND = 1_000_000

Snapshot = dict[tuple[str, str], dict[str, Any]]
"""Incidents and posts as the vendor returns them, by type and ID."""


class Endpoint(pydantic.BaseModel):
    """Where a vendor sends its webhooks. ``secret`` is the signing secret, as the vendor issues it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    vendor: str
    url: str
    secret: str


class Webhooks:
    """Sends changed objects to the endpoints of their vendors."""

    def __init__(self, options: Options) -> None:
        self.endpoints: list[Endpoint] = []
        self.sent_count = 0
        self._options = options
        self._sending: set[asyncio.Task[None]] = set()

    def snapshot(self, simulated_vendor: vendor.Vendor) -> Snapshot | None:
        """Return a vendor's objects, for comparison after a call; None if the vendor has no endpoint."""
        return (
            _snapshot(simulated_vendor)
            if any(endpoint.vendor == simulated_vendor.name for endpoint in self.endpoints)
            else None
        )

    def send_events(self, simulated_vendor: vendor.Vendor, before: Snapshot | None) -> None:
        """Start sending an event for each object that has changed since ``before``."""
        if before is None:
            return
        for event, payload in _events(simulated_vendor.name, before, _snapshot(simulated_vendor)):
            for endpoint in self.endpoints:
                if endpoint.vendor == simulated_vendor.name:
                    # The vendor's response doesn't wait for the webhook. The router may get the webhook before the
                    # response or after it.
                    task = asyncio.create_task(self._send(endpoint, event, payload))
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)

    async def _send(self, endpoint: Endpoint, event: str, payload: dict[str, Any]) -> None:
        at = self._options.clock() // _SECOND
        name = str(uuid.uuid4())
        if endpoint.vendor == _INCIDENT_IO:
            body = json.dumps({"event_type": event, event: payload}).encode()
            headers = _standard(endpoint.secret, name, at, body)
        else:
            body = json.dumps({"event": event, "data": payload}).encode()
            # DevHelm signs the time together with the body, so that the receiver can refuse a replayed delivery.
            mac = hmac.new(endpoint.secret.encode(), b"%d.%b" % (at, body), "sha256").hexdigest()
            headers = {"x-devhelm-delivery-id": name, "x-devhelm-event": event}
            headers |= {"x-devhelm-timestamp": str(at), "x-devhelm-signature": mac}
        try:
            await fetch.post(endpoint.url, body, headers, timeout_seconds=_TIMEOUT_SECONDS)
        except errors.Temporary:
            return  # The real vendors would retry. The simulator doesn't.
        self.sent_count += 1


def _standard(secret: str, name: str, at: int, body: bytes) -> dict[str, str]:
    # Standard Webhooks: the part of the secret after the prefix is base64. DevHelm uses its secret as it is.
    key = base64.b64decode(secret.removeprefix("whsec_"))
    # The ID of the delivery is signed, too. The receiver can rely on it to recognize repetitions.
    mac = hmac.new(key, b"%b.%d.%b" % (name.encode(), at, body), "sha256").digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signature}


def _snapshot(row: vendor.Vendor) -> Snapshot:
    # A copy, since the vendor's state changes later.
    state = json.loads(json.dumps(row.state()))
    posts = [*state.get("status_page_incidents", ())]
    posts += [post for page in state.get("pages", ()) for post in page["incidents"]]
    # DevHelm returns an incident within its details.
    incidents: Snapshot = {
        ("incident", simulated_vendor.get("incident", simulated_vendor)["id"]): simulated_vendor
        for simulated_vendor in state["incidents"]
    }
    return incidents | {("post", post["id"]): post for post in posts}


def _events(name: str, before: Snapshot, after: Snapshot) -> Iterator[tuple[str, dict[str, Any]]]:
    describe = _describe_incident_io_event if name == _INCIDENT_IO else _describe_devhelm_event
    for key, thing in after.items():
        # A request without effect, such as a repeated create with the same idempotency key, causes no event.
        if before.get(key) != thing:
            yield describe(key[0], before.get(key), thing)


def _describe_incident_io_event(
    kind: str, before: dict[str, Any] | None, after: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    if kind == "post":
        if before is None:
            return "status_page_incident.created_v1", after
        # incident.io has one event for a new update of a post and another for a change of its name.
        shared = len(after["updates"]) > len(before["updates"])
        return f"status_page_incident.{'update_shared' if shared else 'updated'}_v1", after
    if before is None:
        return "public_incident.incident_created_v2", after
    old, new = before["incident_status"], after["incident_status"]
    if old != new:
        status = {"incident": after, "new_status": new, "previous_status": old}
        return "public_incident.incident_status_updated_v2", status
    return "public_incident.incident_updated_v2", after


def _describe_devhelm_event(
    kind: str, before: dict[str, Any] | None, after: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    topic = "status_page.incident" if kind == "post" else "incident"
    if before is None:
        return f"{topic}.created", after
    incident = after.get("incident", after)
    was = before.get("incident", before)
    # Only the transition is a resolution. A later change of a resolved incident is an update.
    is_over = incident.get("status") == "RESOLVED" != was.get("status")
    return f"{topic}.{'resolved' if is_over else 'updated'}", after
