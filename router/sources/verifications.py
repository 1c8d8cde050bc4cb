"""Verification of deliveries that are authenticated by neither a header nor a shared secret.

A kind whose vendor signs its messages with the vendor's key, such as SNS, sets ``base.Kind.verification``. The webhook
server verifies a body before any other code uses it.
"""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from router.domain.times import Timestamp

Fetch = Callable[[str], Coroutine[Any, Any, bytes]]
"""Fetches a URL of the vendor without following redirects; ``UnavailableError`` without a usable response."""


class RejectedError(Exception):
    """The delivery isn't authentic. The text says why, without details that help a forger."""


class UnavailableError(Exception):
    """The delivery can be neither verified nor rejected now, because the vendor's key is unavailable. Senders retry."""


class Verified(NamedTuple):
    """An authentic delivery. ``subscription`` is the confirmed one, such as a topic; such a delivery has no alerts."""

    delivery_id: str
    subscription: str = ""


class Verification(Protocol):
    """Verifies the deliveries of one configured source."""

    description: str
    """The verified properties, for the console and ``sources list``."""

    async def verify(self, body: bytes, now: Timestamp, client: str = "") -> Verified:
        """Verify a body received at ``now`` (microseconds) from the address ``client``.

        Raises ``RejectedError`` or ``UnavailableError``.
        """
        ...


async def fetch_nothing(_url: str) -> bytes:
    """Replace ``Fetch`` in processes that only read deliveries."""
    raise UnavailableError("keys of vendors aren't fetched here")
