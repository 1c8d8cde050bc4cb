"""The validation handshake of CloudEvents.

It is the ``OPTIONS`` request of "HTTP 1.1 Web Hooks for Event Delivery", section 4. Senders send it before their first
delivery. The router stores nothing for it.
"""

import re
from collections.abc import Mapping

from router.web import problems

METHOD = "OPTIONS"

_ORIGIN = re.compile(rb"[A-Za-z0-9*][A-Za-z0-9.*:_-]{0,252}")


def origin(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the origin that asks for permission (a DNS expression); empty without one.

    Raises ``problems.Problem`` (400) if the header isn't a DNS expression.
    """
    origin_header = headers.get(b"webhook-request-origin", b"").strip()
    if origin_header and not _ORIGIN.fullmatch(origin_header):
        raise problems.Problem(400, "origin", "WebHook-Request-Origin is not a DNS name")
    return origin_header


async def permit(send: problems.Send, origin_header: bytes) -> None:
    """Permit deliveries on behalf of this origin, without a rate limit: an overloaded router rejects them with 503."""
    headers = [
        (b"allow", b"POST"),
        (b"webhook-allowed-origin", origin_header),
        (b"webhook-allowed-rate", b"*"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
