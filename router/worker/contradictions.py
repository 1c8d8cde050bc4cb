"""A source that contradicts itself, noticed when a delivery is unpacked: what it says is folded in like everything,
but nothing that rests on it is shown to customers without a person's word.
"""

from router.domain import alert as alerts
from router.domain import delivery as deliveries
from router.store import gate
from router.telemetry import log, metrics

_MOST_OF_TITLE = 100  # Characters: a title is somebody else's text.


def of(delivery: deliveries.Delivery) -> alerts.Alert | None:
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


async def heed(delivery: deliveries.Delivery, at_gate: gate.Gate) -> None:
    """Close the breaker of the public pages where a delivery contradicts itself; ``Unavailable``.

    Before the delivery is folded in, so that no post is made of it first. Heeding it twice changes nothing.
    """
    alert = of(delivery)
    if alert is None:
        return
    metrics.contradictions.labels(delivery.source).inc()
    named = f'"{alert.title[:_MOST_OF_TITLE]}" ({alert.fingerprint})'
    why = f"source {delivery.source} says of one alert that it fires and that it is resolved: {named}"
    if await at_gate.shut("breaker", "breaker", delivery.received_at, why):
        log.get("triage").error("breaker_closed", source=delivery.source, fingerprint=alert.fingerprint)
