"""Processes a quarantined body or an archived delivery again, by the current rules."""

import random
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
    settings: configuration.Settings, store: Store, one: quarantine.Quarantined
) -> deliveries.Delivery:
    """Parse a quarantined body, and add it to the inbox with the decisions of the current rules.

    Raises ``Unparsable`` if the body still can't be read, or ``KeyError`` if the source is no longer configured.

    The body leaves the quarantine only after the inbox has stored it. If the process fails in between, the delivery is
    folded twice, which changes nothing. Alerts that still can't be read stay in the quarantine as a separate body.
    """
    endpoint = factories.endpoints(settings)[one.source]
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in one.headers.items()}
    rules = factories.load_rules(settings)
    limits, named = factories.limits(settings), rules.labels_named
    parsed = request_limits.read(endpoint, one.body, headers, one.kept_at, bounds=limits, labels_named=named)
    made = _decided(one.source, parsed.alerts, rules, one.kept_at, parsed.notices)
    if parsed.rejected is not None:
        problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
        await store.quarantine.add(one.source, parsed.rejected.body, one.headers, problem, one.kept_at)
    await _hand_in(store, made, one.body)
    await store.quarantine.discard(one.id)
    return made


async def of_archive(store: Store, one: archive.ArchivedDelivery, rules: ruleset.RuleSet) -> deliveries.Delivery:
    """Add the alerts of an archived delivery to the inbox again, with the decisions of these rules.

    An alert whose state is known already changes nothing.
    """
    kept = one.delivery
    made = _decided(kept.source, [row.alert for row in kept.rows], rules, kept.received_at, kept.notices)
    await _hand_in(store, made, one.body)
    return made


def _decided(
    source: str,
    found: Iterable[alerts.Alert],
    rules: ruleset.RuleSet,
    received_at: Timestamp,
    notices: tuple[Notice, ...] = (),
) -> deliveries.Delivery:
    """Decide alerts again. They keep their time of receipt, so an alert that has resolved since doesn't fire again."""
    now = factories.clock()
    routed = [(alert, rules.decide(alert, now)) for alert in found]
    named = identity.new_delivery_id(now, random.SystemRandom())
    return deliveries.pack(named, source, received_at, routed, notices=notices)


async def _hand_in(store: Store, made: deliveries.Delivery, body: bytes) -> None:
    if made.rows:
        await store.inbox.accept(made, body)
