"""Which incident holds an alert, and what mutes it: what the decision alone doesn't say.

An alert stays with the incident in which it fires, although the rules may name another one now: its severity has
changed, or the rules have. A rule may open an incident that a silence, an inhibition, or a time window holds back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from router.domain import decision as decisions
from router.domain import silence
from router.store import incidents as incident_store
from router.worker import mutes, triage


class Placement(NamedTuple):
    """Where one alert is: the key of its incident (empty: none), and what mutes it now."""

    incident_key: str
    mute: silence.Mute | None = None


class Placements:
    """Finds the placements of alerts; it only reads."""

    def __init__(self, store: incident_store.Incidents, muting: mutes.Mutes) -> None:
        self._store = store
        self._muting = muting

    async def find(self, routed: Sequence[decisions.Routed], now: int) -> list[Placement]:
        """Return the placement of each alert, as far as it's known at ``now``; ``store.errors.Unavailable``."""
        homes = await self._store.find_homes(one.alert.identity for one in routed)
        elsewhere = {
            home for one in routed if (home := homes.get(one.alert.identity)) and home != one.decision.incident_key
        }
        held = await self._store.read(elsewhere)
        muting = await self._among(routed)
        found = []
        for one in routed:
            key, home = one.decision.incident_key, homes.get(one.alert.identity, "")
            if home in held and triage.belongs(held[home].incident, one):
                key = home
            asked = one.alert.status == "firing" and one.decision.response is not None
            found.append(Placement(key, muting(one, now) if asked else None))
        return await self._without_open(found, routed)

    async def _among(self, routed: Sequence[decisions.Routed]) -> silence.Muting:
        named = {key for one in routed for key in one.decision.while_open}
        if not named:
            return self._muting
        return self._muting.while_open(await triage.firing_now(self._store, named))

    async def _without_open(self, found: list[Placement], routed: Sequence[decisions.Routed]) -> list[Placement]:
        """What has opened already goes on, whatever mutes it later."""
        asked = {one.incident_key for one in found if one.mute is not None}
        if not asked:
            return found
        held = await self._store.read(asked)
        return [
            placement._replace(mute=None)
            if placement.mute is not None and _is_open(held[placement.incident_key], one.alert.identity)
            else placement
            for placement, one in zip(found, routed, strict=True)
        ]


def _is_open(held: incident_store.Held, identity: str) -> bool:
    state = held.incident.alerts.get(identity)
    return held.incident.status == "open" and state is not None and not state.resolved
