"""Whose turn it is to ask a source's monitoring, and what is remembered from one answer to the next."""

from typing import Any

import msgspec
import redis.asyncio

from router.domain import sweep
from router.domain.undecodable import Undecodable
from router.store import client, keys
from router.telemetry import log

_LIVES = 10  # Polls; what is older says nothing any more of two answers in a row.

_decode = msgspec.msgpack.Decoder(sweep.Memory).decode
_log = log.get("store")


class SyncState:
    """The polls of all sources, for all who could make them."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection

    async def acquire(self, source: str, every: int) -> bool:
        """Whether it is ours to ask now: once in ``every`` microseconds somebody is told so. ``Unavailable``."""
        async with client.translate_errors():
            return bool(await self._connection.set(keys.turn(source), "", nx=True, px=every // 1000))

    async def read(self, source: str) -> sweep.Memory:
        """What was remembered of the answer before; nothing where there was none lately. ``Unavailable``."""
        async with client.translate_errors():
            found: Any = await self._connection.get(keys.memory(source))
        try:
            return _decode(found) if found else sweep.Memory()
        except Undecodable as error:
            _log.error("memory_unreadable", source=source, reason=str(error))
            return sweep.Memory()

    async def save(self, source: str, memory: sweep.Memory, every: int) -> None:
        """Remember this until the next answer; ``Unavailable``."""
        async with client.translate_errors():
            data = msgspec.msgpack.encode(memory)
            await self._connection.set(keys.memory(source), data, px=_LIVES * every // 1000)
