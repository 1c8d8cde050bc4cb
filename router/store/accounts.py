"""What workers share about destinations: their accounts, which incidents wait for one, and when it last recovered.

An operation that a vendor refuses for a condition of the account (a refused key, an outage) waits. The first success
at the destination, in whichever worker, lets all waiting operations try again.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.store import client, keys
from router.store.connection import Connection

_FEW = 4
_OPEN, _RECOVERED = "open:", "recovered:"


class AccountRecovery(NamedTuple):
    """When a destination last recovered and when an operator last lifted its pauses: microseconds, 0 for never."""

    recovered_at: Timestamp = Timestamp(0)
    lifted_at: Timestamp = Timestamp(0)


class Accounts:
    """State of destinations that all workers share."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts

    async def write(self, account_ids: Mapping[str, str]) -> None:
        """Store the account of each destination, for processes without the API keys that identify the accounts."""
        # HSET without fields is an error.
        fields: dict[Any, Any] = {**account_ids}
        if fields:
            async with client.translate_errors():
                answer: Any = self._redis.hset(keys.ACCOUNTS, mapping=fields)
                await answer

    async def read(self) -> dict[str, str]:
        """Return the account of each destination that a worker has ever been configured with."""
        async with client.translate_errors():
            answer: Any = self._redis.hgetall(keys.ACCOUNTS)
            stored = await answer
        return {name.decode(errors="replace"): account.decode(errors="replace") for name, account in stored.items()}

    async def add_waiting(
        self, destination: str, incident: str, open_until: Timestamp = Timestamp(0)
    ) -> AccountRecovery:
        """Register the incident to be woken when the destination recovers. Return when that last happened.

        ``open_until`` is when the worker's circuit breaker becomes half-open (microseconds; 0 if the circuit is
        closed).
        """
        async with client.translate_errors():
            # Register and read in one script: a recovery between two commands would wake nothing, and the incident
            # would wait.
            names = [keys.waiting(destination), keys.RESUMED]
            recovered, lifted = await self._scripts.run("await_destination", names, [destination, incident, open_until])
        return AccountRecovery(Timestamp(int(recovered)), Timestamp(int(lifted)))

    async def resume(self, destination: str, now: Timestamp, *, lifted: bool = False) -> list[str]:
        """Record that the destination recovered, or that its pauses were lifted. Return the incidents that waited."""
        async with client.translate_errors():
            names = [keys.waiting(destination), keys.RESUMED]
            event = "lifted" if lifted else "recovered"
            answer = await self._scripts.run("resume_destination", names, [destination, event, now])
        return [incident.decode(errors="replace") for incident in answer]

    async def recoveries(self) -> dict[str, Timestamp]:
        """Return when each destination last worked again, in microseconds, as any worker has seen it."""
        async with client.translate_errors():
            answer: Any = self._redis.hgetall(keys.RESUMED)
            stored = await answer
        fields = {name.decode(errors="replace"): at for name, at in stored.items()}
        return {
            name.removeprefix(_RECOVERED): Timestamp(int(at))
            for name, at in fields.items()
            if name.startswith(_RECOVERED) and at.isdigit()
        }

    async def open_circuits(self, now: Timestamp) -> dict[str, Timestamp]:
        """Return when each open circuit becomes half-open, by destination, for circuits that incidents wait for."""
        async with client.translate_errors():
            answer: Any = self._redis.hgetall(keys.RESUMED)
            fields_by_name = await answer
        fields = {name.decode(errors="replace"): open_until for name, open_until in fields_by_name.items()}
        circuits = {
            name.removeprefix(_OPEN): Timestamp(int(open_until))
            for name, open_until in fields.items()
            if name.startswith(_OPEN) and open_until.isdigit()
        }
        # A worker that was killed leaves its entry behind, so an entry counts only until its time.
        return {name: open_until for name, open_until in circuits.items() if open_until > now}

    async def count_waiting(self, destination: str) -> int:
        """Return the number of incidents that wait for the destination."""
        async with client.translate_errors():
            answer: Any = self._redis.scard(keys.waiting(destination))
            return int(await answer)

    async def sample_waiting(self, destination: str) -> list[str]:
        """Return a few of the incidents that wait for the destination, at random."""
        async with client.translate_errors():
            answer: Any = self._redis.srandmember(keys.waiting(destination), _FEW)
            members = await answer
        return [incident.decode(errors="replace") for incident in members]
