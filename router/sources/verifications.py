"""How a kind of source verifies who sent a delivery, if neither a header nor a shared secret says so.

A kind whose vendor signs its messages with a key of its own, such as SNS, sets ``base.Kind.verification``. The webhook
server calls it before anything else is done with a body.
"""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

Fetch = Callable[[str], Coroutine[Any, Any, bytes]]
"""Fetches a URL of the vendor without following redirects; ``UnavailableError`` without a usable response."""


class RejectedError(Exception):
    """The delivery isn't authentic. The text says why, without helping anyone to forge one."""


class UnavailableError(Exception):
    """The delivery can be neither verified nor rejected now, since the vendor's key is unavailable. Senders retry."""


class Verified(NamedTuple):
    """An authentic delivery. ``subscription`` is what it confirmed, such as a topic; such a delivery has no alerts."""

    delivery_id: str
    subscription: str = ""


class Verification(Protocol):
    """Verifies the deliveries of one configured source."""

    description: str
    """What is verified, for the console and ``sources list``."""

    async def verify(self, body: bytes, now: int) -> Verified:
        """Verify a body received at ``now`` (microseconds); ``RejectedError`` or ``UnavailableError``."""
        ...


async def fetch_nothing(_url: str) -> bytes:
    """Stand in for ``Fetch`` where deliveries are only read."""
    raise UnavailableError("keys of vendors aren't fetched here")
