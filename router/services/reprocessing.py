"""Processes a quarantined body or an archived delivery again, by the current rules."""

from collections.abc import Iterable

from router import configuration
from router.bootstrap import factories
from router.domain import alerts, deliveries, identity
from router.domain.notices import Notice
from router.domain.times import Timestamp
from router.rules import ruleset
from router.store import archive, quarantine
from router.store.store import Store
from router.web import request_limits


async def of_quarantine(
    settings: configuration.Settings, store: Store, entry: quarantine.Quarantined
) -> deliveries.Delivery:
    """Parse a quarantined body, and add it to the inbox with the decisions of the current rules.

    Raises ``Unparsable`` if the body still can't be read, or ``KeyError`` if the source is no longer configured.

    The body leaves the quarantine only after the inbox has stored it. If the process fails in between, the delivery is
    folded twice, which changes nothing. Alerts that still can't be read stay in the quarantine as a separate body.
    """
    endpoint = factories.endpoints(settings)[entry.source]
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in entry.headers.items()}
    rules = factories.load_rules(settings)
    limits, labels_named = factories.limits(settings), rules.labels_named
    parsed = request_limits.read(endpoint, entry.body, headers, entry.kept_at, bounds=limits, labels_named=labels_named)
    delivery = _decided(entry.source, parsed.alerts, rules, entry.kept_at, parsed.notices)
    if parsed.rejected is not None:
        problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
        await store.quarantine.add(entry.source, parsed.rejected.body, entry.headers, problem, entry.kept_at)
    await _hand_in(store, delivery, entry.body)
    await store.quarantine.discard(entry.id)
    return delivery


async def of_archive(store: Store, archived: archive.ArchivedDelivery, rules: ruleset.RuleSet) -> deliveries.Delivery:
    """Add the alerts of an archived delivery to the inbox again, with the decisions of these rules.

    An alert whose state is known already changes nothing.
    """
    delivery = archived.delivery
    packed = _decided(
        delivery.source, [row.alert for row in delivery.rows], rules, delivery.received_at, delivery.notices
    )
    await _hand_in(store, packed, archived.body)
    return packed


def _decided(
    source: str,
    parsed_alerts: Iterable[alerts.Alert],
    rules: ruleset.RuleSet,
    received_at: Timestamp,
    notices: tuple[Notice, ...] = (),
) -> deliveries.Delivery:
    """Decide alerts again. They keep their time of receipt, so an alert that has resolved since doesn't fire again."""
    now = factories.clock()
    routed = [(alert, rules.decide(alert, now)) for alert in parsed_alerts]
    delivery_id = identity.new_delivery_id(now, factories.randomness())
    return deliveries.pack(delivery_id, source, received_at, routed, notices=notices)


async def _hand_in(store: Store, delivery: deliveries.Delivery, body: bytes) -> None:
    if delivery.rows:
        await store.inbox.accept(delivery, body)
