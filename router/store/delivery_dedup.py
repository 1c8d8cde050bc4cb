"""What senders called their deliveries lately, so that one which is sent again is told from a new one."""

import hashlib
from typing import Any

import redis.asyncio

from router.store import client, keys

LIFE_SECONDS = 24 * 60 * 60


class DeliveryIds:
    """The deliveries of the last day that carried a name of their own.

    A name is remembered once its delivery is safe, never before: a sender that was not answered finds it new again.
    """

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection

    async def find(self, source: str, name: str) -> str:
        """Our id of the delivery that the sender calls so; empty where there was none. ``Unavailable``."""
        async with client.translate_errors():
            found: Any = await self._connection.get(_key(source, name))
        return str(found.decode()) if found else ""

    async def remember(self, source: str, name: str, delivery: str) -> None:
        """Remember a delivery that is safe; ``Unavailable``."""
        async with client.translate_errors():
            await self._connection.set(_key(source, name), delivery, ex=LIFE_SECONDS)


def _key(source: str, name: str) -> str:
    # Names are as long as the sender likes them to be.
    return keys.seen(hashlib.blake2b(f"{source}\0{name}".encode(), digest_size=16).hexdigest())
