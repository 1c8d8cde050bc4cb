"""A whole trial: load, kills, readings at intervals, and the report after all deliveries are processed."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.outbound import client, errors
from router.store import embedded
from router.store import errors as store_errors
from router.store.store import Store
from tools.soak import cluster, figures, load, verdict

LOOK_SECONDS = 60.0
SETTLE_SECONDS = 120.0
MICROS = 1_000_000

_POLL_SECONDS = 0.25
_CALL_SECONDS = 10.0
_START_SECONDS = 60.0
_LEAST_LOOKS = 16  # A short trial is read more often, so that there are enough readings to compare.


class Plan(NamedTuple):
    """The plan of a trial. ``fault_seconds`` is the mean pause between two kills; each pause is 50% to 150% of it."""

    seconds: float
    rate: float
    incident_keys: int = 100
    fault_seconds: float = 60.0
    spares: tuple[str, ...] = ()

    @property
    def look_seconds(self) -> float:
        """The interval between readings in seconds."""
        return min(LOOK_SECONDS, self.seconds / _LEAST_LOOKS)


@dataclass
class Findings:
    """The results of a trial so far."""

    ledger: load.Ledger
    kills: Counter[str] = field(default_factory=Counter)
    readings: list[figures.Reading] = field(default_factory=list)
    seconds: float = 0.0  # The duration of the load.
    settled_seconds: float = 0.0
    outcome: verdict.Verdict = field(default_factory=lambda: verdict.Verdict([], [], ["not checked yet"]))
    died: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, or refused, and no process ended unexpectedly."""
        return self.outcome.clean and not self.ledger.refused and not self.died


Tell = Callable[[Findings], None]


class Trial:
    """One trial in a cluster that is already running."""

    def __init__(
        self,
        place: cluster.Cluster,
        store: Store,
        plan: Plan,
        *,
        chance: load.Chance,
        clock: Callable[[], Timestamp],
        ticks: Callable[[], int],
    ) -> None:
        self._town, self._store, self._plan, self._chance = place, store, plan, chance
        self._clock, self._ticks = clock, ticks
        self._followed = clock()
        self.findings = Findings(load.Ledger())

    async def run(self, tell: Tell, stop: asyncio.Event) -> Findings:
        """Run for the planned time, or until ``stop`` is set. ``tell`` is called after every reading."""
        now = asyncio.get_running_loop().time
        async with self._clients() as (webs, vendors):
            for one in (*webs, vendors):
                await self._answering(one, stop)
            if stop.is_set():
                return self.findings
            began = now()
            witness = verdict.Witness(self._store, vendors, self.findings.ledger)
            async with asyncio.TaskGroup() as group:
                for sender in self._senders(webs):
                    group.create_task(sender.send(self._plan.rate / load.SENDERS, stop))
                group.create_task(self._kill(stop))
                group.create_task(self._look(witness, tell, stop, began))
                await load.wait(stop, self._plan.seconds)
                stop.set()
                self.findings.seconds = now() - began
            await self._settle(witness)
        return self.findings

    async def _answering(self, one: client.Client, stop: asyncio.Event) -> None:
        """Wait until a webhook server or the simulator is ready. Raises ``StartFailedError`` if that takes too long."""
        path = "/faults" if one.name == cluster.SIMULATOR else "/readyz"
        for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
            with contextlib.suppress(errors.Failure):
                await one.call("GET", path)
                return
            await load.wait(stop, _POLL_SECONDS)
            if stop.is_set():
                return
        said = await asyncio.to_thread(self._town.last_words, one.name)
        raise embedded.StartFailedError(f"{one.name} was not ready within {_START_SECONDS:g} s; it said last:\n{said}")

    def _senders(self, webs: Sequence[client.Client]) -> list[load.Sender]:
        alerts = load.alerts(self._plan.incident_keys)
        path = f"/v1/webhooks/{cluster.SOURCE}"
        shares = [share for first in range(load.SENDERS) if (share := alerts[first :: load.SENDERS])]
        return [
            load.Sender(
                share, webs, self.findings.ledger, self._chance, path=path, clock=self._clock, ticks=self._ticks
            )
            for share in shares
        ]

    async def _kill(self, stop: asyncio.Event) -> None:
        """Kill processes one after the other, in rounds of one process of each kind in random order."""
        kinds = {"web": cluster.WEBS, "worker": cluster.WORKERS, "valkey": (cluster.VALKEY,)}
        wanted = sorted(kinds.keys() - set(self._plan.spares))
        while True:
            for kind in sorted(wanted, key=lambda _: self._chance.random()):
                await load.wait(stop, self._chance.uniform(0.5, 1.5) * self._plan.fault_seconds)
                if stop.is_set():
                    return
                await asyncio.to_thread(self._town.kill, self._chance.choice(kinds[kind]))
                self.findings.kills[kind] += 1

    async def _look(self, witness: verdict.Witness, tell: Tell, stop: asyncio.Event, began: float) -> None:
        now = asyncio.get_running_loop().time
        while not stop.is_set():
            await load.wait(stop, self._plan.look_seconds)
            self.findings.seconds = now() - began
            self.findings.readings.append(await self._read(now() - began))
            # If Redis is unavailable now, the next reading covers the time of this one, too.
            with contextlib.suppress(store_errors.Unavailable):
                await self._follow(witness)
            tell(self.findings)
            if not stop.is_set():
                self.findings.ledger.begin_stretch()

    async def _follow(self, witness: verdict.Witness) -> None:
        moment = self._clock()
        await witness.follow(self._followed)
        self._followed = moment

    async def _read(self, seconds: float) -> figures.Reading:
        lives = await asyncio.to_thread(self._town.look)
        self.findings.died = list(self._town.died)
        usages = {life: found for life in lives if (found := figures.usage(life.pid)) is not None}
        memory = number = 0
        with contextlib.suppress(store_errors.Unavailable):
            memory, number = await verdict.held(self._store)
        return figures.Reading(seconds, usages, memory, number)

    async def _settle(self, witness: verdict.Witness) -> None:
        """Wait until the state matches the ledger. Differences at the end are errors."""
        now = asyncio.get_running_loop().time
        began = now()
        while not self.findings.outcome.clean and now() - began < SETTLE_SECONDS:
            with contextlib.suppress(store_errors.Unavailable, errors.Failure):
                self.findings.outcome = await witness.judge(self._followed)
            await asyncio.sleep(_POLL_SECONDS)
        self.findings.settled_seconds = now() - began
        await asyncio.to_thread(self._town.look)
        self.findings.died = list(self._town.died)

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[list[client.Client], client.Client]]:
        """Yield one client for each webhook server, and one for the simulated vendors."""
        said = {"authorization": f"Bearer {cluster.TOKEN}"}
        made = {name: self._client(name, url, said) for name, url in self._town.addresses.items()}
        try:
            yield [made[name] for name in cluster.WEBS], made[cluster.SIMULATOR]
        finally:
            for one in made.values():
                await one.aclose()

    def _client(self, name: str, url: str, headers: dict[str, Any]) -> client.Client:
        return client.Client(name=name, base_url=url, headers=headers, timeout_seconds=_CALL_SECONDS, now=self._clock)
