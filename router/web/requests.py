"""Reading one request: its body within a limit, and those of its headers that may be written down."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from router.web import bounds, budget

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Parts of names of headers that carry a secret, or a proof that somebody has one.
_SECRET = (b"auth", b"cookie", b"token", b"secret", b"password", b"signature", b"key")
_LONGEST_NUMBER = 18  # Digits; a longer Content-Length is beyond every limit.


class Disconnected(Exception):
    """The sender hung up before its request was whole."""


async def read(receive: Receive, headers: Mapping[bytes, bytes], limit: int, share: budget.Share) -> bytes:
    """Read the body; a ``problems.Problem`` as soon as it is certain to be longer than ``limit`` bytes (413).

    503 if it doesn't fit into the ``share`` of the memory for bodies. What is already known from Content-Length is
    refused before anything is read, so a sender that asks with ``Expect: 100-continue`` need not send it at all.
    """
    length = headers.get(b"content-length")
    if length is not None and (len(length) > _LONGEST_NUMBER or (length.isdigit() and int(length) > limit)):
        raise bounds.too_large(limit)
    if length is not None and length.isdigit() and int(length) > share.room:
        raise budget.full()
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message["body"]
        if len(body) > limit:
            raise bounds.too_large(limit)
        share.take(len(body))
        return body
    return await _read_on(receive, message, limit, share)


async def _read_on(receive: Receive, message: MutableMapping[str, Any], limit: int, share: budget.Share) -> bytes:
    parts = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise Disconnected
        part = message["body"]
        parts.append(part)
        size += len(part)
        if size > limit:
            raise bounds.too_large(limit)
        share.take(len(part))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def without_secrets(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers as text, but for those that may hold a secret."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if not any(part in name for part in _SECRET)
    }
