"""Finds the current state of a delivery's alerts: which incident holds each, what mutes it, and whether it was late."""

from typing import NamedTuple

from router import configuration
from router.bootstrap import factories
from router.domain import deliveries
from router.store import incidents
from router.store.store import Store
from router.worker import placements


class Whereabouts(NamedTuple):
    """The current state of one alert of a delivery.

    ``incident_key`` is the incident that holds it, ``muted_by`` what mutes it (empty: nothing). ``is_late``: the worker
    ignored the message as a late delivery.
    """

    incident_key: str
    muted_by: str
    is_late: bool


async def find(settings: configuration.Settings, store: Store, delivery: deliveries.Delivery) -> list[Whereabouts]:
    """Return the current state of each alert of a delivery, in order. Raises ``store.errors.Unavailable``."""
    muting = factories.muting(settings, store)
    await muting.refresh()
    found = await placements.Placements(store, muting).find(deliveries.routed(delivery), factories.clock())
    keys = {one.incident_key for one in found if one.incident_key}
    held = await store.incidents.read(keys)
    late: dict[str, set[str]] = {}
    for key in keys:
        for event in await store.incidents.timeline(key):
            if event.what == "ignored" and delivery.id in event.detail.get("deliveries", ()):
                late.setdefault(key, set()).update(event.detail.get("alerts", ()))
    return [
        Whereabouts(
            one.incident_key,
            _muted_by(one, held, row.alert.identity),
            row.alert.identity in late.get(one.incident_key, ()),
        )
        for one, row in zip(found, delivery.rows, strict=True)
    ]


def _muted_by(one: placements.Placement, held: dict[str, incidents.StoredIncident], identity: str) -> str:
    if one.incident_key in held and identity in (muted := held[one.incident_key].incident.muted):
        return muted[identity].by
    return one.mute.by if one.mute is not None else ""
