"""``POST /v1/vendor-webhooks/{destination}``: a vendor reports a change, and the worker reads the changed objects.

The router uses a webhook only as a hint that an object may have changed: of the body it reads only IDs. The worker then
reads the vendor's state, as at each poll. So a lost, forged, or repeated webhook changes nothing.
"""

import collections
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable
from router.sources import base, signatures
from router.store import errors
from router.telemetry import log, metrics
from router.web import budget, ports, problems, request_limits, requests

PREFIX = "/v1/vendor-webhooks/"

_log = log.get("web")
_ACCEPTED = 202
_BODY_BYTES = 256 * 1024
_BYTES_IN_FLIGHT = 8 * 1024 * 1024
_DEPTH = 32
_MAX_IDS = 64  # IDs read from one body. The incident is near the top, and its parts are below.
_ID = re.compile(r"[0-9A-Za-z-]{10,64}")
_SIGNED_NAMES = (b"webhook-id", b"svix-id")
_DEVHELM_NAME = b"x-devhelm-delivery-id"

Scope = Mapping[str, Any]
Recheck = Callable[[Sequence[str], Sequence[str]], Awaitable[int]]
"""Schedule a read of the items with these vendor IDs at these destinations. Return the number of their incidents."""


@dataclass(frozen=True)
class Receiver:
    """The webhook of one destination.

    ``signatures`` are the schemes that its vendor may use. ``destinations`` are all destinations at the same vendor:
    one webhook reports changes of all these destinations.
    """

    name: str
    signatures: tuple[signatures.Signature, ...]
    destinations: tuple[str, ...]

    def problem(self, headers: Mapping[bytes, bytes], body: bytes, now: Timestamp) -> str:
        """Return why a body isn't the vendor's; empty if it is authentic."""
        # The problem of the scheme that the vendor used is relevant. For other schemes, only the headers are missing.
        candidates = [signature for signature in self.signatures if signature.has_headers(headers)] or self.signatures
        messages = [signature.problem(headers, body, now) for signature in candidates]
        return "" if "" in messages else messages[0]


class VendorWebhooks:
    """Receives the webhooks of vendors."""

    def __init__(
        self, receivers: Mapping[str, Receiver], recheck: Recheck, seen: ports.DeliveryIdStore, clock: ports.Clock
    ) -> None:
        self._receivers = receivers
        self._recheck = recheck
        self._seen = seen
        self._clock = clock
        self._budget = budget.Budget(_BYTES_IN_FLIGHT)

    async def __call__(self, scope: Scope, receive: requests.Receive, send: problems.Send) -> None:
        """Answer one request whose path begins with ``PREFIX``."""
        receiver = self._receivers.get(scope["path"].removeprefix(PREFIX))
        name = receiver.name if receiver is not None else ""
        try:
            outcome, incidents = await self._take(receiver, scope, receive)
        except problems.Problem as problem:
            await self._refuse(name, problem, scope, send)
        except errors.Unavailable as error:
            await self._refuse(name, problems.unavailable(error.reason, error.retry_after_seconds), scope, send)
        except requests.Disconnected:
            metrics.vendor_webhooks.labels(name, "disconnected").inc()
        else:
            metrics.vendor_webhooks.labels(name, outcome).inc()
            _log.info("vendor_webhook", destination=name, outcome=outcome, incidents=incidents)
            await _answer(send, outcome, incidents)

    async def _take(self, receiver: Receiver | None, scope: Scope, receive: requests.Receive) -> tuple[str, int]:
        """Handle a request. Return its outcome, and the number of incidents to read again."""
        if receiver is None:
            raise problems.Problem(404, "unknown-destination", "no destination of this name takes webhooks here")
        if scope["method"] != "POST":
            raise problems.Problem(405, "method", "send webhooks with POST", headers=[(b"allow", b"POST")])
        headers = dict(scope["headers"])
        # The signature covers the body, so the sender is unknown until the body has been read.
        with self._budget.share(is_proven=False) as share:
            body = await requests.read(receive, headers, _BODY_BYTES, share)
            wrong = receiver.problem(headers, body, self._clock())
            if wrong:
                raise problems.Problem(401, "unauthorized", wrong)
            return await self._look(receiver, headers, body)

    async def _look(self, receiver: Receiver, headers: Mapping[bytes, bytes], body: bytes) -> tuple[str, int]:
        source, name = f"{PREFIX}{receiver.name}", _name_of(headers)
        # A retry of a webhook that was handled already.
        if name and await self._seen.find(source, name):
            return "duplicate", 0
        incident_ids = ids(body)
        if incident_ids is None:
            # A retry would not help: the next poll finds the change.
            return "unreadable", 0
        incidents = await self._recheck(receiver.destinations, incident_ids)
        if name:
            # The webhook counts as handled only after the read is scheduled. If Redis fails before, the vendor's retry
            # does it.
            await self._seen.save(source, name, "looked-at")
        return "looked_at" if incidents else "unrelated", incidents

    async def _refuse(self, name: str, problem: problems.Problem, scope: Scope, send: problems.Send) -> None:
        metrics.vendor_webhooks.labels(name, problem.name.replace("-", "_")).inc()
        _log.info("vendor_webhook_refused", destination=name, status=problem.status, problem=problem.detail)
        await problems.answer(send, problem, scope)


def _name_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the vendor's ID of this delivery, which each retry repeats; empty if there is none."""
    names = (headers[name] for name in (*_SIGNED_NAMES, _DEVHELM_NAME) if name in headers)
    return next(names, b"").decode("latin-1")


def ids(body: bytes) -> list[str] | None:
    """Return the IDs in a body, the outermost first; None if the body can't be read.

    Vendors don't document the shape of every event, and put the incident in different places. The IDs are looked up in
    Redis, so IDs of other objects have no effect.
    """
    try:
        request_limits.check_value_count(body, _BODY_BYTES // 4)
        request_limits.check_depth(body, _DEPTH)
        document = msgspec.json.decode(body)
    except (base.Unparsable, *Undecodable):
        return None
    return list(dict.fromkeys(_walk(document)))[:_MAX_IDS]


def _walk(whole: Any) -> Iterator[str]:
    level = collections.deque([whole])
    while level:
        value = level.popleft()
        if isinstance(value, list):
            level.extend(value)
        elif isinstance(value, dict):
            for name, member in value.items():
                # The format of IDs keeps texts and URLs from being looked up.
                if isinstance(member, str):
                    if name.casefold().endswith("id") and _ID.fullmatch(member):
                        yield member
                else:
                    level.append(member)


async def _answer(send: problems.Send, outcome: str, incidents: int) -> None:
    body = msgspec.json.encode({"outcome": outcome, "incidents": incidents})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": _ACCEPTED, "headers": headers})
    await send({"type": "http.response.body", "body": body})
