"""Authentic bodies that could not be parsed: kept as received, with what was wrong, until a person looks."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import redis.asyncio

from router.store import client, keys


class Quarantined(NamedTuple):
    """One body in quarantine. ``id`` names it; ``kept_at`` is microseconds since the epoch."""

    id: str
    source: str
    problem: str
    kept_at: int
    headers: dict[str, str]
    body: bytes


class Quarantine:
    """The quarantine of all sources."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection

    async def keep(self, source: str, body: bytes, headers: Mapping[str, str], problem: str, now: int) -> str:
        """Keep a body and return its id; ``Unavailable`` where the store has not got it."""
        fields: dict[str, str | bytes | int] = {
            "source": source,
            "problem": problem,
            "at": now,
            "headers": msgspec.json.encode(dict(headers)),
            "body": body,
        }
        async with client.failures():
            identity: Any = await self._connection.xadd(keys.QUARANTINE, fields)  # type: ignore[arg-type]
        return str(identity.decode())

    async def read(self, most: int = 100) -> list[Quarantined]:
        """The newest bodies first."""
        async with client.failures():
            entries: Any = await self._connection.xrevrange(keys.QUARANTINE, count=most)
        return [
            Quarantined(
                identity.decode(),
                fields[b"source"].decode(),
                fields[b"problem"].decode(),
                int(fields[b"at"]),
                msgspec.json.decode(fields[b"headers"]),
                fields[b"body"],
            )
            for identity, fields in entries
        ]
