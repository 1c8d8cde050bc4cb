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
        return self._lookups.begin([routed_alert.alert.identity for routed_alert in routed])

    async def find(
        self, routed: Sequence[decisions.Routed], now: Timestamp, lookup: Lookup | None = None
    ) -> list[Placement]:
        """Return the placement of each alert, as far as it's known at ``now``. Raises ``store.errors.StoreError``."""
        homes = await (lookup or self.look_up(routed))
        elsewhere = {
            home
            for routed_alert in routed
            if (home := homes.get(routed_alert.alert.identity)) and home != routed_alert.decision.incident_key
        }
        stored = await self._store.incidents.read(elsewhere, {})
        muting = await self._among(routed)
        placements = []
        for routed_alert in routed:
            # The rules name one incident, and another one may hold the alert.
            key, home = routed_alert.decision.incident_key, homes.get(routed_alert.alert.identity, "")
            if home in stored and routing.should_stay(stored[home].incident, routed_alert):
                key = home
            is_relevant = routed_alert.alert.status == "firing" and routed_alert.decision.response is not None
            placements.append(Placement(key, muting(routed_alert, now) if is_relevant else None))
        return await self._without_open(placements, routed)

    async def _among(self, routed: Sequence[decisions.Routed]) -> silences.Muting:
        named_keys = {key for routed_alert in routed for key in routed_alert.decision.while_open}
        if not named_keys:
            return self._muting
        return self._muting.while_open(await aggregator.find_firing(self._store, named_keys))

    async def _without_open(self, placements: list[Placement], routed: Sequence[decisions.Routed]) -> list[Placement]:
        """Remove the mutes of alerts in open incidents, which continue whatever mutes their alerts later."""
        muted_keys = {placement.incident_key for placement in placements if placement.mute is not None}
        if not muted_keys:
            return placements
        stored = await self._store.incidents.read(muted_keys, {})
        return [
            placement._replace(mute=None)
            if placement.mute is not None and _is_open(stored.get(placement.incident_key), entry.alert.identity)
            else placement
            for placement, entry in zip(placements, routed, strict=True)
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
        owners_or_error: Mapping[str, str] | Exception
        try:
            owners_or_error = await self._store.incidents.owners.find(name for names, _ in batch for name in names)
        except errors.StoreError as error:
            owners_or_error = error
        for _, lookup in batch:
            if lookup.done():  # The caller has gone.
                continue
            if isinstance(owners_or_error, Exception):
                lookup.set_exception(owners_or_error)
                lookup.exception()  # A caller that no longer needs the result doesn't have to await it.
            else:
                lookup.set_result(owners_or_error)


def _is_open(stored: incidents.StoredIncident | None, identity: str) -> bool:
    if stored is None:
        return False
    state = stored.incident.alerts.get(identity)
    return stored.incident.status == "open" and state is not None and not state.resolved
