"""How often each account at a vendor may be called: one bucket for all workers and all destinations of the account."""

import redis.asyncio

from router.store import client, errors, keys, scripts

SHARE = 0.8  # Of what the vendor allows; people and other programs use the same account.
# Of the quota, what is left after a pause that the vendor asked for: enough for every kind of operation to go on soon.
_AFTER_PAUSE = 0.4


class Quota:
    """One account's quota. ``account`` tells it from others and is no secret; ``per_minute`` is the vendor's limit."""

    def __init__(self, connection: "redis.asyncio.Redis", account: str, per_minute: int) -> None:
        self._scripts = scripts.Scripts(connection)
        self._key = keys.quota(account)
        self._most = max(1.0, per_minute * SHARE)

    async def admit(self, floor: float) -> float:
        """Take one call; returns 0, or the seconds until there may be one.

        The share ``floor`` of the quota is left for what is more urgent. Where Redis is away the call is let through:
        whoever makes it has just written down that it does, or soon will find out that it can't.
        """
        try:
            async with client.failures():
                return int(await self._scripts.run("take", [self._key], [self._most, floor])) / 1_000_000
        except errors.Unavailable:
            return 0.0

    async def pause(self, seconds: float) -> None:
        """The vendor asked for a pause: nobody calls before it is over."""
        try:
            async with client.failures():
                arguments = [int(seconds * 1_000_000), self._most * _AFTER_PAUSE]
                await self._scripts.run_confirmed("pause", [self._key], arguments)
        except errors.Unavailable:
            return  # Whoever was told has the time written down with the publication.
