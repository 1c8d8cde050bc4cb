"""A source that contradicts itself, noticed when a delivery is unpacked: what it says is folded in like everything,
but nothing that rests on it is shown to customers without a person's word.
"""

from collections.abc import Collection

from router.domain import alerts, deliveries
from router.store import incidents as incident_store
from router.store import publishing_state
from router.telemetry import log, metrics

_MOST_OF_TITLE = 100  # Characters: a title is somebody else's text.


def find_conflict(delivery: deliveries.Delivery) -> alerts.Alert | None:
    """The first alert that fires and is resolved in the same delivery, by one start that the source itself has said.

    Where a sender says no start, the time of the delivery stands in: then the two may be one after the other.
    """
    resolved = {(row.alert.fingerprint, row.alert.starts_at) for row in delivery.rows if row.alert.status == "resolved"}
    if not resolved or len(delivery.rows) == 1:
        return None
    for row in delivery.rows:
        alert = row.alert
        said = alert.status == "firing" and alert.starts_at != delivery.received_at
        if said and (alert.fingerprint, alert.starts_at) in resolved:
            return alert
    return None


class ConflictGuard:
    """Closes the breaker of the pages that a delivery reaches if it contradicts itself, and of no others."""

    def __init__(
        self, publishing: publishing_state.PublishingControls, store: incident_store.Incidents, public: Collection[str]
    ) -> None:
        """``public`` are the destinations that are public pages."""
        self._publishing = publishing
        self._store = store
        self._public = frozenset(public)

    async def check(self, delivery: deliveries.Delivery) -> None:
        """Look at a delivery before it is folded, so that no post is made of it first; ``Unavailable``.

        Looking twice changes nothing.
        """
        alert = find_conflict(delivery)
        if alert is None:
            return
        metrics.conflicting_deliveries.labels(delivery.source).inc()
        named = f'"{alert.title[:_MOST_OF_TITLE]}" ({alert.fingerprint})'
        why = f"source {delivery.source} says of one alert that it fires and that it is resolved: {named}"
        for page in sorted(await self._reached(delivery, alert)):
            if await self._publishing.trip_page(page, delivery.received_at, why):
                log.get("triage").error(
                    "publishing_guard_tripped", page=page, source=delivery.source, fingerprint=alert.fingerprint
                )

    async def _reached(self, delivery: deliveries.Delivery, alert: alerts.Alert) -> set[str]:
        """The pages that the alert is to be shown at, and those at which the incident that holds it is shown."""
        responses = [
            row.decision(delivery.responses).response
            for row in delivery.rows
            if row.alert.fingerprint == alert.fingerprint
        ]
        homes = set((await self._store.owners.find([alert.identity])).values())
        responses += [held.incident.response for held in (await self._store.read(homes, {})).values()]
        targets = [target for response in responses if response is not None for target in response.targets]
        return {target.destination for target in targets} & self._public
