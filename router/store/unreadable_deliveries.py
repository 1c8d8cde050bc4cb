"""Counts authentic deliveries that could not be parsed, by source. The worker reports them."""

from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.store import client, keys
from router.store.connection import Connection

_MAX_PROBLEM_LENGTH = 500  # Maximum length of the problem in characters.


class UnreadableCount(NamedTuple):
    """The unparsable deliveries of a source since its last report ended.

    ``since`` and ``last_at`` are when the first and the latest were received (microseconds). ``number`` is their count,
    and ``problem`` describes the first.
    """

    source: str
    since: Timestamp
    last_at: Timestamp
    number: int
    problem: str


class UnreadableCounts:
    """The counts of all sources."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis

    async def count(self, source: str, problem: str, now: Timestamp) -> None:
        """Count a delivery that could not be parsed. Raises ``Unavailable``."""
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            # The report shows the first problem and its time, so later deliveries don't replace them.
            pipeline.hsetnx(keys.UNREADABLE, f"since:{source}", str(now))
            pipeline.hsetnx(keys.UNREADABLE, f"problem:{source}", problem[:_MAX_PROBLEM_LENGTH])
            pipeline.hset(keys.UNREADABLE, f"last_at:{source}", str(now))
            pipeline.hincrby(keys.UNREADABLE, f"count:{source}", 1)
            await pipeline.execute()

    async def read(self) -> list[UnreadableCount]:
        """Return the counts by source."""
        async with client.translate_errors():
            command: Any = self._redis.hgetall(keys.UNREADABLE)
            stored: dict[bytes, bytes] = await command
        fields_by_source: dict[str, dict[str, str]] = {}
        for field, value in stored.items():
            name, _, source = field.decode().partition(":")
            fields_by_source.setdefault(source, {})[name] = value.decode(errors="replace")
        return [
            UnreadableCount(
                source,
                Timestamp(int(fields.get("since", "0"))),
                Timestamp(int(fields.get("last_at", "0"))),
                int(fields.get("count", "0")),
                fields.get("problem", ""),
            )
            for source, fields in sorted(fields_by_source.items())
        ]

    async def clear(self, source: str) -> None:
        """Reset the count of a source when its report has ended."""
        fields = [f"{name}:{source}" for name in ("since", "problem", "last_at", "count")]
        async with client.translate_errors():
            command: Any = self._redis.hdel(keys.UNREADABLE, *fields)
            await command
