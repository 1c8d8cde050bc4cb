"""State of polling a source's monitoring: the polling process, and the data between two polls."""

from typing import Any

import msgspec

from router.domain import alertmanager_diff
from router.domain.undecodable import Undecodable
from router.store import client, keys
from router.store.connection import Connection
from router.telemetry import log

_LIVES = 10  # Number of polls after which the kept state no longer describes two consecutive responses.

_decode = msgspec.msgpack.Decoder(alertmanager_diff.Memory).decode
_log = log.get("store")


class SyncState:
    """The polling state of all sources, shared by all processes."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis

    async def acquire(self, source: str, every: int) -> bool:
        """Return whether this process may poll now. One process may in each interval of ``every`` microseconds."""
        async with client.translate_errors():
            return bool(await self._redis.set(keys.poll_turn(source), "", nx=True, px=every // 1000))

    async def read(self, source: str) -> alertmanager_diff.Memory:
        """Return the state saved after the previous poll, if it isn't too old. Raises ``Unavailable``."""
        async with client.translate_errors():
            stored: Any = await self._redis.get(keys.poll_memory(source))
        try:
            # Without memory, no alert ends or begins at this poll: a difference counts only in two responses in a row.
            return _decode(stored) if stored else alertmanager_diff.Memory()
        except Undecodable as error:
            _log.error("memory_unreadable", source=source, reason=str(error))
            return alertmanager_diff.Memory()

    async def save(self, source: str, memory: alertmanager_diff.Memory, every: int) -> None:
        """Save state until the next poll. Raises ``Unavailable``."""
        async with client.translate_errors():
            data = msgspec.msgpack.encode(memory)
            await self._redis.set(keys.poll_memory(source), data, px=_LIVES * every // 1000)
