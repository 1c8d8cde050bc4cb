"""Recent delivery IDs of senders, which detect a delivery that is sent again."""

import hashlib
from typing import Any

from router.store import client, keys
from router.store.connection import Connection

LIFE_SECONDS = 24 * 60 * 60


class DeliveryIds:
    """The deliveries of the last day that had an ID of the sender.

    An ID is stored after its delivery, never before: if the delivery was not stored, the sender's retry is accepted.
    """

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis

    async def find(self, source: str, name: str) -> str:
        """Return our ID of the delivery with the sender's ID, or an empty string. Raises ``Unavailable``."""
        async with client.translate_errors():
            stored: Any = await self._redis.get(_key(source, name))
        return str(stored.decode()) if stored else ""

    async def save(self, source: str, name: str, delivery: str) -> None:
        """Store the ID of a stored delivery. Raises ``Unavailable``."""
        async with client.translate_errors():
            await self._redis.set(_key(source, name), delivery, ex=LIFE_SECONDS)


def _key(source: str, name: str) -> str:
    # The sender's ID may have any length.
    return keys.delivery_id(hashlib.blake2b(f"{source}\0{name}".encode(), digest_size=16).hexdigest())
