"""Call quotas of vendor accounts: one token bucket for all workers and all destinations of an account."""

from typing import Any, NamedTuple

from router.outbound import call_policy
from router.store import client, errors, keys
from router.store.connection import Connection

OPENS = 0.2
"""The share of a quota that what opens an incident leaves for resolutions."""
SHARE = 0.8  # Share of the vendor's limit. People and other programs use the same account.
# Share of the quota available after a pause that the vendor asked for, so that every kind of operation continues soon.
_AFTER_PAUSE = 0.4


class VendorPause(NamedTuple):
    """A pause that the vendor asked for: of one endpoint class, or of the whole account if ``endpoint`` is empty."""

    endpoint: str
    seconds_left: float


class AccountQuota:
    """The quota of one account. ``account`` identifies it and isn't secret; ``per_minute`` is the vendor's limit."""

    def __init__(self, connection: Connection, account: str, per_minute: int) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._key = keys.quota(account)
        self._most = max(1.0, per_minute * SHARE)

    async def admit(self, turn: call_policy.Turn) -> call_policy.Admission:
        """Take a token, or return the time until one is available.

        The share ``floor`` of the quota is reserved for more urgent calls. Calls with the lowest floor are admitted
        occasionally during a pause. If Redis is unavailable, the call is admitted: its intent has just been stored, or
        can't be.
        """
        try:
            async with client.translate_errors():
                arguments = [self._most, turn.floor, turn.endpoint]
                wait, paused = await self._scripts.run("take_quota_token", [self._key], arguments)
        except errors.Unavailable:
            return call_policy.Admission(0.0)
        return call_policy.Admission(int(wait) / 1_000_000, bool(paused))

    async def pause(self, seconds: float, endpoint: str = "") -> None:
        """Record a pause that the vendor asked for. Nothing calls the endpoint (empty: any endpoint) until it ends."""
        try:
            async with client.translate_errors():
                arguments = [int(seconds * 1_000_000), self._most * _AFTER_PAUSE, endpoint]
                await self._scripts.run_confirmed("pause_account", [self._key], arguments)
        except errors.Unavailable:
            return  # The caller stores the time with the publication as well.

    async def pauses(self) -> list[VendorPause]:
        """Return the active pauses, longest first."""
        async with client.translate_errors():
            answer = await self._scripts.run("list_pauses", [self._key], [])
        pauses = [
            VendorPause(endpoint.decode(), int(left) / 1_000_000)
            for endpoint, left in zip(answer[::2], answer[1::2], strict=True)
        ]
        return sorted(pauses, key=lambda pause: -pause.seconds_left)

    async def exhausted_for(self) -> float:
        """Return the seconds until a call that opens an incident is admitted; 0.0 if it is now.

        Tokens are reserved for resolutions, which may continue.
        """
        async with client.translate_errors():
            answer: Any = self._redis.hmget(self._key, ["left", "at"])
            left, at = await answer
            seconds, micros = await self._redis.time()
        # The key has expired, so the quota is full.
        if left is None or at is None:
            return 0.0
        passed = max(0.0, seconds + micros / 1_000_000 - int(at) / 1_000_000)
        # As in take_quota_token.lua: a small quota never has the reserved share plus one token, so a full quota
        # suffices.
        missing = min(1 + OPENS * self._most, self._most) - (float(left) + passed * self._most / 60)
        return max(0.0, missing * 60 / self._most)

    async def lift(self) -> int:
        """Lift all pauses of the account. Return their number."""
        async with client.translate_errors():
            return int(await self._scripts.run_confirmed("lift_pauses", [self._key], []))
