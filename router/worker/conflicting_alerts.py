"""Detects sources that contradict themselves in a delivery.

The alerts of such a delivery are folded like others, but public posts based on them need a reviewer's approval.
"""

from collections.abc import Collection

from router.domain import alerts, deliveries
from router.store.store import Store
from router.telemetry import log, metrics

_MAX_TITLE_LENGTH = 100  # Characters. Titles are untrusted text.


def find_conflict(delivery: deliveries.Delivery) -> alerts.Alert | None:
    """Return the first alert that fires and is resolved in the same delivery with one start that the source has set.

    If a sender sets no start, the time of the delivery replaces it. One message may then be later than the other.
    """
    resolved = {(row.alert.fingerprint, row.alert.starts_at) for row in delivery.rows if row.alert.status == "resolved"}
    # A conflict needs two messages, one of them a resolution. Most deliveries end here, before they are searched.
    if not resolved or len(delivery.rows) == 1:
        return None
    for row in delivery.rows:
        alert = row.alert
        is_explicit = alert.status == "firing" and alert.starts_at != delivery.received_at
        if is_explicit and (alert.fingerprint, alert.starts_at) in resolved:
            return alert
    return None


class ConflictGuard:
    """Trips the publishing guard of the pages that a self-contradicting delivery affects, and of no others."""

    def __init__(self, store: Store, public: Collection[str]) -> None:
        """Set up. ``public`` are the destinations that are public pages."""
        self._store = store
        self._public = frozenset(public)

    async def check(self, delivery: deliveries.Delivery) -> None:
        """Check a delivery before it is folded, so that it doesn't create a post first. Raises ``Unavailable``.

        A second check changes nothing.
        """
        alert = find_conflict(delivery)
        if alert is None:
            return
        metrics.conflicting_deliveries.labels(delivery.source).inc()
        description = f'"{alert.title[:_MAX_TITLE_LENGTH]}" ({alert.fingerprint})'
        why = f"source {delivery.source} reports the same alert as both firing and resolved: {description}"
        for page in sorted(await self._find_pages(delivery, alert)):
            # If the delivery is folded again, the guard has tripped already, and nothing is logged twice.
            if await self._store.publishing_controls.trip_page(page, delivery.received_at, why):
                log.get("triage").error(
                    "publishing_guard_tripped", page=page, source=delivery.source, fingerprint=alert.fingerprint
                )

    async def _find_pages(self, delivery: deliveries.Delivery, alert: alerts.Alert) -> set[str]:
        """Return the pages of the alert's own targets, and those of the incident that holds it."""
        responses = [
            row.decision(delivery.responses).response
            for row in delivery.rows
            if row.alert.fingerprint == alert.fingerprint
        ]
        # The alert may fire in an incident that earlier rules chose, and that incident's pages show it.
        homes = set((await self._store.incidents.owners.find([alert.identity])).values())
        responses += [stored.incident.response for stored in (await self._store.incidents.read(homes, {})).values()]
        targets = [target for response in responses if response is not None for target in response.targets]
        return {target.destination for target in targets} & self._public
