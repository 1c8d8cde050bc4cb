"""Processes a quarantined body or an archived delivery again, by the current rules."""

from router import configuration
from router.bootstrap import factories
from router.domain import deliveries, identity
from router.domain.times import Timestamp
from router.rules import ruleset
from router.store import archive, quarantine
from router.store.store import Store
from router.web import request_limits


async def reprocess_quarantined(
    settings: configuration.Settings,
    store: Store,
    entry: quarantine.Quarantined,
    now: Timestamp,
    *,
    randomness: identity.Randomness,
) -> deliveries.Delivery:
    """Parse a quarantined body, and add it to the inbox with the decisions of the current rules.

    Raises ``Unparsable`` if the body still can't be read, or ``KeyError`` if the source is no longer configured.

    The body leaves the quarantine only after the inbox has stored it. If the process fails in between, the delivery is
    folded twice, which changes nothing. Alerts that still can't be read stay in the quarantine as a separate body.
    """
    # Reading applies the limits of the source again, as on the first receipt.
    endpoint = factories.endpoints(settings)[entry.source]
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in entry.headers.items()}
    rules = factories.load_rules(settings)
    limits, labels_named = factories.limits(settings), rules.labels_named
    parsed = request_limits.read(endpoint, entry.body, headers, entry.kept_at, bounds=limits, labels_named=labels_named)
    routed = [(alert, rules.decide(alert, now)) for alert in parsed.alerts]
    delivery_id = identity.new_delivery_id(now, randomness)
    delivery = deliveries.pack(delivery_id, entry.source, entry.kept_at, routed, notices=parsed.notices)
    if parsed.rejected is not None:
        problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
        await store.quarantine.add(entry.source, parsed.rejected.body, entry.headers, problem, entry.kept_at)
    await _accept(store, delivery, entry.body)
    await store.quarantine.discard(entry.id)
    return delivery


async def reprocess_archived(
    store: Store,
    archived: archive.ArchivedDelivery,
    rules: ruleset.RuleSet,
    now: Timestamp,
    *,
    randomness: identity.Randomness,
) -> deliveries.Delivery:
    """Add the alerts of an archived delivery to the inbox again, with the decisions of these rules.

    An alert whose state is known already changes nothing.
    """
    delivery = archived.delivery
    routed = [(row.alert, rules.decide(row.alert, now)) for row in delivery.rows]
    # The alerts keep their time of receipt, so an alert that has resolved since doesn't fire again.
    packed = deliveries.pack(
        identity.new_delivery_id(now, randomness),
        delivery.source,
        delivery.received_at,
        routed,
        notices=delivery.notices,
    )
    await _accept(store, packed, archived.body)
    return packed


async def _accept(store: Store, delivery: deliveries.Delivery, body: bytes) -> None:
    # An empty delivery would occupy the inbox for nothing.
    if delivery.rows:
        await store.inbox.accept(delivery, body)
