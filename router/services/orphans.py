"""Resolves items that are open at a vendor and belong to no incident, on an operator's request.

Each item gets its own closed incident. So the worker adopts and resolves the item like any other: once, with retries,
and never while publishing is frozen.
"""

import msgspec

from router import configuration
from router.domain import alerts, decisions, identity, incidents, timeline
from router.domain.times import Timestamp
from router.store import dataset
from router.store.incidents import Change, StoredIncident
from router.store.store import Store

_RULE = "incident-router"


async def read_all(store: Store) -> list[dataset.Orphan]:
    """Return all orphans, the oldest first. Raises ``Unavailable``."""
    orphans = [orphan async for orphan in store.data_set.orphans()]
    return sorted(orphans, key=lambda orphan: (orphan.item.opened_at, orphan.id))


def incident_key(orphan: dataset.Orphan) -> str:
    """Return the key of the incident that an orphan gets."""
    return f'{_RULE}{{orphan="{orphan.id}"}}'


async def resolve(
    settings: configuration.Settings,
    store: Store,
    orphan: dataset.Orphan,
    person: str,
    now: Timestamp,
    *,
    randomness: identity.Randomness,
) -> bool:
    """Request that a worker resolves an orphan.

    Return False if an incident holds the item now, so that it is no orphan.
    """
    # An incident may have adopted or opened the item since the orphans were listed. Resolving it would end a live item.
    if await _is_held(settings, store, orphan):
        await store.data_set.remove_orphan(orphan)
        return False
    key = incident_key(orphan)
    owner = identity.owner(settings.installation, key)
    episode = identity.new_episode(settings.installation, key, randomness)
    alert = alerts.Alert(_RULE, orphan.id, "resolved", orphan.item.opened_at, now, orphan.item.title)
    response = decisions.Response(_RULE, settings.file, "", (decisions.Target(orphan.destination),))

    def make(stored: StoredIncident) -> Change | None:
        # The incident is closed from the start, so the worker opens nothing and resolves what it adopts.
        after = msgspec.structs.replace(
            incidents.Incident(key),
            generation=stored.incident.generation + 1,
            episode=episode,
            opened_at=stored.read_at,
            closed_at=stored.read_at,
            changed_at=stored.read_at,
            response=response,
            opening_alert=alert,
        )
        text = f"{person} resolves an item at {orphan.destination} that belongs to no known incident."
        event = timeline.Event(stored.read_at, "person", text, orphan.destination, person)
        return Change(after, stored.version, wake=True, events=[event])

    # The owner comes first: the worker adopts only orphans whose owner is the incident, and the update wakes it. After
    # a crash in between, the orphan is still listed, and resolving it again finds the same key.
    await store.data_set.change_owner(orphan, owner)
    await store.incidents.update(key, make)
    return True


async def _is_held(settings: configuration.Settings, store: Store, orphan: dataset.Orphan) -> bool:
    """Return whether a publication holds the item, at its destination or at another one of the same kind."""
    configured = settings.destinations
    kind = configured[orphan.destination].kind if orphan.destination in configured else ""
    # Two destinations of one kind may be pages of one account, so the item may belong to the other one.
    names = {orphan.destination, *(name for name, config in configured.items() if config.kind == kind)}
    return orphan.item.vendor_id in await store.publications.vendor_ids(names)
