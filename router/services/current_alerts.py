"""Finds the current state of a delivery's alerts: which incident holds each, what mutes it, and whether it was late."""

from typing import NamedTuple

from router import configuration
from router.bootstrap import factories
from router.domain import deliveries
from router.domain.times import Timestamp
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


async def find(
    settings: configuration.Settings, store: Store, delivery: deliveries.Delivery, now: Timestamp
) -> list[Whereabouts]:
    """Return the state of each alert of a delivery at ``now``, in order. Raises ``store.errors.Unavailable``."""
    muting = factories.muting(settings, store)
    # Only workers refresh silences regularly. Without a refresh, none would apply here.
    await muting.refresh()
    alert_placements = await placements.Placements(store, muting).find(deliveries.unpack_all(delivery), now)
    keys = {placement.incident_key for placement in alert_placements if placement.incident_key}
    stored = await store.incidents.read(keys)
    late: dict[str, set[str]] = {}
    for key in keys:
        for event in await store.incidents.timeline(key):
            # The worker names late alerts and their deliveries only in the timeline of the incident.
            if event.what == "ignored" and delivery.id in event.detail.get("deliveries", ()):
                late.setdefault(key, set()).update(event.detail.get("alerts", ()))
    return [
        Whereabouts(
            placement.incident_key,
            _muted_by(placement, stored, row.alert.identity),
            row.alert.identity in late.get(placement.incident_key, ()),
        )
        for placement, row in zip(alert_placements, delivery.rows, strict=True)
    ]


def _muted_by(placement: placements.Placement, stored: dict[str, incidents.StoredIncident], identity: str) -> str:
    # What muted the alert when the worker stored it prevails: the placement only predicts what would mute it at `now`.
    if placement.incident_key in stored and identity in (muted := stored[placement.incident_key].incident.muted):
        return muted[identity].by
    return placement.mute.by if placement.mute is not None else ""
