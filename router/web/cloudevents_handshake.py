"""Senders of CloudEvents that ask first whether they may deliver here: the ``OPTIONS`` request of the specification's
"HTTP 1.1 Web Hooks for Event Delivery", part 4. It is answered before any alert comes, and keeps nothing.
"""

import re
from collections.abc import Mapping

from router.web import problems

METHOD = "OPTIONS"

_ORIGIN = re.compile(rb"[A-Za-z0-9*][A-Za-z0-9.*:_-]{0,252}")


def origin(headers: Mapping[bytes, bytes]) -> bytes:
    """On behalf of whom it is asked (a DNS expression); empty where nobody is named.

    A ``problems.Problem`` (400) where what is named is no such expression.
    """
    named = headers.get(b"webhook-request-origin", b"").strip()
    if named and not _ORIGIN.fullmatch(named):
        raise problems.Problem(400, "origin", "WebHook-Request-Origin is no DNS name")
    return named


async def permit(send: problems.Send, named: bytes) -> None:
    """Permit deliveries on behalf of this origin, as many as it likes: who comes too often is told 503 at that time."""
    headers = [
        (b"allow", b"POST"),
        (b"webhook-allowed-origin", named),
        (b"webhook-allowed-rate", b"*"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
