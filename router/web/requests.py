"""Reading of one request: its body within a limit, and the headers that contain no secret."""

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from router.web import budget, request_limits

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Headers that say how to read a body, who sent it, and which delivery it is. Any other header may contain a credential:
# names don't indicate it, and proxies and identity providers keep adding headers.
_KEPT = frozenset(
    b"accept content-encoding content-language content-length content-type date host idempotency-key user-agent "
    b"x-request-id x-correlation-id x-github-delivery x-github-event x-gitlab-event x-gitlab-event-uuid "
    b"x-grafana-org-id sentry-hook-resource sentry-hook-timestamp x-amz-sns-message-id x-amz-sns-message-type "
    b"x-amz-sns-topic-arn x-pagerduty-webhook-id incident-router-test".split()
)
_KEPT_BEGIN = (b"ce-",)  # CloudEvents' own attributes.
_MAX_NUMBER_LENGTH = 18  # Digits. A longer Content-Length exceeds every limit.


class Disconnected(Exception):
    """The sender closed the connection before its request was complete."""


async def read(receive: Receive, headers: Mapping[bytes, bytes], limit: int, share: budget.Share) -> bytes:
    """Read the body. Raises ``problems.Problem`` (413) as soon as it is longer than ``limit`` bytes.

    Raises 503 if the body doesn't fit into the ``share`` of the memory for bodies. If Content-Length exceeds a limit,
    the request is refused before the body is read, so a sender that uses ``Expect: 100-continue`` doesn't send the
    body.
    """
    length = headers.get(b"content-length")
    if length is not None and (len(length) > _MAX_NUMBER_LENGTH or (length.isdigit() and int(length) > limit)):
        raise request_limits.too_large(limit)
    # The whole body is reserved before its first byte, so that a body isn't refused halfway.
    if length is not None and length.isdigit():
        share.require(int(length))
    message = await receive()
    # Nearly every delivery arrives in one message.
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message["body"]
        if len(body) > limit:
            raise request_limits.too_large(limit)
        share.take(len(body))
        return body
    return await _read_on(receive, message, limit, share)


async def _read_on(receive: Receive, message: MutableMapping[str, Any], limit: int, share: budget.Share) -> bytes:
    parts = []
    size = 0
    while True:
        # The sender has closed the connection.
        if message["type"] != "http.request":
            raise Disconnected
        part = message["body"]
        parts.append(part)
        size += len(part)
        if size > limit:
            raise request_limits.too_large(limit)
        # A chunked body has no length, so it is counted as it arrives.
        share.take(len(part))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def to_keep(headers: Mapping[bytes, bytes], names: Collection[bytes] = ()) -> dict[str, str]:
    """Return the headers to store, as text: those of the list, and those that the source's settings ``names``."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name in _KEPT or name in names or name.startswith(_KEPT_BEGIN)
    }
