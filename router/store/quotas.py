"""How often each account at a vendor may be called: one bucket for all workers and all destinations of the account."""

from typing import Any, NamedTuple

import redis.asyncio

from router.outbound import patience
from router.store import client, errors, keys, scripts

OPENS = 0.2
"""The share of a quota that what opens an incident leaves for resolutions."""
SHARE = 0.8  # Of what the vendor allows; people and other programs use the same account.
# Of the quota, what is left after a pause that the vendor asked for: enough for every kind of operation to go on soon.
_AFTER_PAUSE = 0.4


class Pause(NamedTuple):
    """A pause that the vendor asked for: of one endpoint class, or of the whole account if ``endpoint`` is empty."""

    endpoint: str
    seconds_left: float


class Quota:
    """One account's quota. ``account`` tells it from others and is no secret; ``per_minute`` is the vendor's limit."""

    def __init__(self, connection: "redis.asyncio.Redis", account: str, per_minute: int) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self._key = keys.quota(account)
        self._most = max(1.0, per_minute * SHARE)

    async def admit(self, turn: patience.Turn) -> patience.Admission:
        """Take one call, or say when there may be one.

        The share ``floor`` of the quota is left for what is more urgent. What leaves nothing is let through now and
        then while the vendor asks for a pause. Where Redis is away the call is let through:
        whoever makes it has just written down that it does, or soon will find out that it can't.
        """
        try:
            async with client.translate_errors():
                arguments = [self._most, turn.floor, turn.endpoint]
                wait, paused = await self._scripts.run("take", [self._key], arguments)
        except errors.Unavailable:
            return patience.Admission(0.0)
        return patience.Admission(int(wait) / 1_000_000, bool(paused))

    async def pause(self, seconds: float, endpoint: str = "") -> None:
        """The vendor asked for a pause: nobody calls the endpoint (all of them if empty) before it is over."""
        try:
            async with client.translate_errors():
                arguments = [int(seconds * 1_000_000), self._most * _AFTER_PAUSE, endpoint]
                await self._scripts.run_confirmed("pause", [self._key], arguments)
        except errors.Unavailable:
            return  # Whoever was told has the time written down with the publication.

    async def pauses(self) -> list[Pause]:
        """The pauses that hold now, the longest first."""
        async with client.translate_errors():
            found = await self._scripts.run("pauses", [self._key], [])
        pauses = [
            Pause(endpoint.decode(), int(left) / 1_000_000)
            for endpoint, left in zip(found[::2], found[1::2], strict=True)
        ]
        return sorted(pauses, key=lambda pause: -pause.seconds_left)

    async def exhausted_for(self) -> float:
        """Seconds until there are calls again for what opens an incident; 0.0 if there are now.

        Resolutions, of which the quota keeps calls, may go on meanwhile.
        """
        async with client.translate_errors():
            answer: Any = self._connection.hmget(self._key, ["left", "at"])
            left, at = await answer
            seconds, micros = await self._connection.time()
        if left is None or at is None:
            return 0.0
        passed = max(0.0, seconds + micros / 1_000_000 - int(at) / 1_000_000)
        missing = min(1 + OPENS * self._most, self._most) - (float(left) + passed * self._most / 60)
        return max(0.0, missing * 60 / self._most)

    async def lift(self) -> int:
        """End every pause of the account; returns how many there were."""
        async with client.translate_errors():
            return int(await self._scripts.run_confirmed("lift", [self._key], []))
