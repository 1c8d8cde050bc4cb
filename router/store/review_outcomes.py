"""Review outcomes per rule, which help operators decide whether a rule can publish automatically."""

from collections.abc import Mapping
from typing import Any, Literal

from router.store import client, keys
from router.store.connection import Connection

Outcome = Literal["approved", "edited", "dismissed", "over", "lapsed", "shadow", "automatic", "retracted"]
"""``over``: the incident ended before anyone acted. ``lapsed``: no one acted before its deadline. ``retracted``: an
operator took down the post, or prevented it."""

_PREFIX = keys.counts("")


class ReviewOutcomes:
    """The outcome counts of all rules."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis

    async def record(self, rule: str, outcome: Outcome) -> None:
        """Count one outcome. A crash may lose one: the counts are for operators, not for decisions."""
        async with client.translate_errors():
            answer: Any = self._redis.hincrby(keys.counts(rule), outcome, 1)
            await answer

    async def read(self) -> Mapping[str, Mapping[str, int]]:
        """Return the outcome counts by rule, sorted."""
        counts_by_rule: dict[str, Mapping[str, int]] = {}
        async with client.translate_errors():
            names = sorted([key.decode() async for key in self._redis.scan_iter(keys.all_counts_pattern(), count=1000)])
            for name in names:
                answer: Any = self._redis.hgetall(name)
                counted = await answer
                counts_by_rule[name.removeprefix(_PREFIX)] = {
                    key.decode(): int(number) for key, number in counted.items() if number.isdigit()
                }
        return counts_by_rule
