"""Silences that operators create, shared by all workers and kept for some days after their end."""

from typing import Any

import msgspec

from router.domain import times
from router.domain.silences import Silence
from router.domain.times import Duration, Timestamp
from router.domain.undecodable import Undecodable
from router.store import client, keys
from router.store.connection import Connection
from router.telemetry import log

KEPT_AFTER = Duration(5 * times.DAY)  # The time for which an expired silence is kept.

_decode = msgspec.msgpack.Decoder(Silence).decode
_log = log.get("store")


class Silences:
    """All silences."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._writer = connection.writer

    async def read(self) -> list[Silence]:
        """Return all silences, sorted by their end."""
        async with client.translate_errors():
            answer: Any = self._redis.hgetall(keys.SILENCES)
            stored = await answer
        # A damaged silence mutes nothing, and must not disable the other silences.
        silences = []
        for identity, data in stored.items():
            try:
                silences.append(_decode(data))
            except Undecodable as error:
                _log.error("silence_unreadable", silence=identity.decode(), reason=str(error))
        return sorted(silences, key=lambda silence: (silence.ends_at, silence.id))

    async def save(self, silence: Silence) -> None:
        """Store a silence, replacing one with the same ID."""
        async with client.translate_errors():
            await self._writer.run("HSET", keys.SILENCES, silence.id, msgspec.msgpack.encode(silence))

    async def expire(self, identity: str, now: Timestamp) -> Silence | None:
        """End a silence now. Return None if no active or future silence has this ID."""
        silence = next(
            (entry for entry in await self.read() if entry.id == identity and entry.state(now) != "expired"), None
        )
        if silence is None:
            return None
        # A future silence that is ended gets no start after its end.
        ended = msgspec.structs.replace(silence, ends_at=now, starts_at=min(silence.starts_at, now))
        await self.save(ended)
        return ended

    async def delete_expired(self, now: Timestamp) -> int:
        """Delete the silences that ended long ago. Return their number."""
        old = [silence.id for silence in await self.read() if silence.ends_at < now - KEPT_AFTER]
        if old:
            async with client.translate_errors():
                answer: Any = self._redis.hdel(keys.SILENCES, *old)
                await answer
        return len(old)
