"""Lists and lifts the pauses of destinations: rate limits, open circuit breakers, and used-up quotas.

A pause belongs to an account at a vendor, so destinations of one account share it. Workers store the account of each
destination, because other processes and commands may run without the vendors' API keys that identify an account.
"""

from typing import Literal, NamedTuple

from router import configuration
from router.bootstrap import factories
from router.domain import times
from router.domain.times import Timestamp
from router.store import quotas
from router.store.store import Store

Kind = Literal["rate_limit", "circuit_breaker", "quota"]


class DestinationPause(NamedTuple):
    """A pause of the calls to a destination.

    ``endpoint`` is empty if the pause is about the whole account. ``ends_at`` is in microseconds since the epoch.
    ``waiting`` is the number of incidents that wait for the destination.
    """

    destination: str
    kind: Kind
    endpoint: str
    ends_at: Timestamp
    waiting: int


class Lifted(NamedTuple):
    """The number of pauses that were lifted, and the incidents that waited for a destination of the account."""

    lifted: int
    incidents: list[str]


class Pauses:
    """The pauses of all configured destinations."""

    def __init__(self, settings: configuration.Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._accounts = store.accounts

    async def read(self, now: Timestamp) -> list[DestinationPause]:
        """Return the active pauses in the order of the configured destinations."""
        circuits = await self._accounts.open_circuits(now)
        account_ids = await self._account_ids()
        pauses = []
        for name in self._settings.destinations:
            quota = self._quota(name, account_ids)
            active: list[tuple[Kind, str, Timestamp]] = [
                ("rate_limit", pause.endpoint, Timestamp(now + times.from_seconds(pause.seconds_left)))
                for pause in await quota.pauses()
            ]
            if name in circuits:
                active.append(("circuit_breaker", "", circuits[name]))
            # A pause of the whole destination stops all calls already, so the quota adds no information.
            is_paused = any(not endpoint for _, endpoint, _ in active)
            if not is_paused and (seconds := await quota.exhausted_for()):
                active.append(("quota", "", Timestamp(now + times.from_seconds(seconds))))
            # Without a pause, nothing is listed for the destination, so its waiting incidents needn't be counted.
            waiting = await self._accounts.count_waiting(name) if active else 0
            pauses += [DestinationPause(name, kind, endpoint, ends_at, waiting) for kind, endpoint, ends_at in active]
        return pauses

    async def lift(self, destination: str, now: Timestamp) -> Lifted:
        """End the pauses of the destination's account, and wake every incident that waits for the account.

        The circuit breakers of all destinations of the account close as well.
        """
        account_ids = await self._account_ids()
        lifted = await self._quota(destination, account_ids).lift()
        circuits = await self._accounts.open_circuits(now)
        incidents: dict[str, None] = {}
        for name, account in account_ids.items():
            if account == account_ids[destination]:
                lifted += name in circuits
                # A dictionary keeps the order and drops duplicates: an incident may wait for several destinations of
                # the account.
                incidents |= dict.fromkeys(await self._accounts.resume(name, now, lifted=True))
        # Incidents would otherwise wait until the end of the lifted pause, for which their timer is set.
        await self._store.publications.wake(list(incidents))
        return Lifted(lifted, list(incidents))

    async def _account_ids(self) -> dict[str, str]:
        """Return the account of each configured destination: as a worker stored it, or else by its API key here."""
        stored = await self._accounts.read()
        return {
            name: stored.get(name) or factories.account(config) for name, config in self._settings.destinations.items()
        }

    def _quota(self, destination: str, account_ids: dict[str, str]) -> quotas.AccountQuota:
        # Destinations of one account share a token bucket. Workers also use the lowest limit of the account.
        per_minute = min(
            self._settings.destinations[name].per_minute
            for name, account in account_ids.items()
            if account == account_ids[destination]
        )
        return self._store.make_quota(account_ids[destination], per_minute)
