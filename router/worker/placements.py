"""Finds the incident that holds an alert, and what mutes it. The decision alone doesn't say either.

An alert stays with the incident in which it fires, although the rules may name another one now, because its severity or
the rules have changed. A silence, an inhibition, or a time window may hold an incident back that a rule opens.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from router.domain import decisions, silences
from router.domain.times import Timestamp
from router.store import errors, incidents
from router.store.store import Store
from router.worker import aggregator, routing, silencing

Lookup = asyncio.Future[Mapping[str, str]]
"""A future of the incidents that hold alerts, by the alerts' identities."""


class Placement(NamedTuple):
    """The placement of one alert: the key of its incident (empty: none), and what mutes it now."""

    incident_key: str
    mute: silences.Mute | None = None


class Placements:
    """Finds the placements of alerts. It only reads."""

    def __init__(self, store: Store, muting: silencing.SilenceService) -> None:
        self._store = store
        self._muting = muting
        self._lookups = _Lookups(store)

    def look_up(self, routed: Sequence[decisions.Routed]) -> Lookup:
        """Start to look up the incidents of these alerts.

        Pass the result to ``find``. Other work can continue in between.
        """
        return self._lookups.begin([one.alert.identity for one in routed])

    async def find(
        self, routed: Sequence[decisions.Routed], now: Timestamp, lookup: Lookup | None = None
    ) -> list[Placement]:
        """Return the placement of each alert, as far as it's known at ``now``. Raises ``store.errors.StoreError``."""
        homes = await (lookup or self.look_up(routed))
        elsewhere = {
            home for one in routed if (home := homes.get(one.alert.identity)) and home != one.decision.incident_key
        }
        held = await self._store.incidents.read(elsewhere, {})
        muting = await self._among(routed)
        found = []
        for one in routed:
            key, home = one.decision.incident_key, homes.get(one.alert.identity, "")
            if home in held and routing.stays(held[home].incident, one):
                key = home
            asked = one.alert.status == "firing" and one.decision.response is not None
            found.append(Placement(key, muting(one, now) if asked else None))
        return await self._without_open(found, routed)

    async def _among(self, routed: Sequence[decisions.Routed]) -> silences.Muting:
        named = {key for one in routed for key in one.decision.while_open}
        if not named:
            return self._muting
        return self._muting.while_open(await aggregator.firing_now(self._store, named))

    async def _without_open(self, found: list[Placement], routed: Sequence[decisions.Routed]) -> list[Placement]:
        """Remove the mutes of alerts in open incidents, which continue whatever mutes their alerts later."""
        asked = {one.incident_key for one in found if one.mute is not None}
        if not asked:
            return found
        held = await self._store.incidents.read(asked, {})
        return [
            placement._replace(mute=None)
            if placement.mute is not None and _is_open(held.get(placement.incident_key), one.alert.identity)
            else placement
            for placement, one in zip(found, routed, strict=True)
        ]


class _Lookups:
    """Looks alerts up in batches. All requests that wait during one look-up share the next one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[list[str], Lookup]] = []
        self._drain: asyncio.Task[None] | None = None

    def begin(self, identities: list[str]) -> Lookup:
        lookup: Lookup = asyncio.get_running_loop().create_future()
        self._waiting.append((identities, lookup))
        if self._drain is None:
            self._drain = asyncio.create_task(self._look())
        return lookup

    async def _look(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._answer(batch)
        finally:
            self._drain = None

    async def _answer(self, batch: list[tuple[list[str], Lookup]]) -> None:
        found: Mapping[str, str] | Exception
        try:
            found = await self._store.incidents.owners.find(name for names, _ in batch for name in names)
        except errors.StoreError as error:
            found = error
        for _, lookup in batch:
            if lookup.done():  # The caller has gone.
                continue
            if isinstance(found, Exception):
                lookup.set_exception(found)
                lookup.exception()  # A caller that no longer needs the result doesn't have to await it.
            else:
                lookup.set_result(found)


def _is_open(held: incidents.StoredIncident | None, identity: str) -> bool:
    if held is None:
        return False
    state = held.incident.alerts.get(identity)
    return held.incident.status == "open" and state is not None and not state.resolved
