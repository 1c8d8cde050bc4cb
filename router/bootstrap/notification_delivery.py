"""Builds the announcer of events and the delivery to notifiers, from the settings."""

from typing import NamedTuple

from router import configuration
from router.bootstrap import public_pages
from router.domain import events, identity, subscriptions
from router.notifiers import base, registry
from router.store.store import Store
from router.telemetry import log
from router.worker import announcer, notifications, runtime


class NotificationParts(NamedTuple):
    """The announcer of incidents, and the worker's part for notifiers; both None if no notifier is configured."""

    incidents: announcer.Announcer | None = None
    worker: runtime.NotificationTasks | None = None


def make_parts(
    settings: configuration.Settings,
    store: Store,
    randomness: identity.Randomness,
    clock: base.Clock,
    ticks: base.Clock,
) -> NotificationParts:
    """Return what a worker needs for its notifiers."""
    channels = _make_channels(settings, store, clock)
    # Without a notifier, the announcer would store events that no process delivers.
    if not channels.notifiers:
        return NotificationParts()
    deliveries = notifications.Deliveries(store, channels, randomness=randomness, ticks=ticks)
    places = public_pages.configured_pages(settings)
    return NotificationParts(
        announcer.Announcer(store, places, public_pages.make_preview(places), deliveries.wake, _failover(settings)),
        runtime.NotificationTasks(
            announcer.RouterAnnouncer(
                store,
                clock,
                deliveries.wake,
            ),
            deliveries,
        ),
    )


def _failover(settings: configuration.Settings) -> dict[str, tuple[str, ...]]:
    """Return the notifiers of each destination's failover."""
    failovers = {name: config.failover for name, config in settings.destinations.items()}
    return {name: failover.notify for name, failover in failovers.items() if failover is not None}


def make_subscriptions(settings: configuration.Settings) -> subscriptions.Subscriptions:
    """Return the notifiers that each topic, and the incidents of each owner, are delivered to."""
    notify = settings.notify
    topics: dict[events.Topic, tuple[str, ...]] = {
        "incidents": notify.incidents,
        "reviews": notify.reviews,
        "guard": notify.guard,
        "dead_letters": notify.dead_letters,
        "delays": notify.delays,
        "freezes": notify.freezes,
        "heartbeats": notify.heartbeats,
    }
    return subscriptions.Subscriptions(topics, notify.owners)


def _make_channels(settings: configuration.Settings, store: Store, clock: base.Clock) -> notifications.Channels:
    notifiers = {}
    for name, config in settings.notifiers.items():
        if name in settings.simulated:
            log.get("worker").warning("notifier_without_secret", notifier=name)
            continue
        quota = store.make_quota(f"notifier/{name}", config.per_minute)
        has_slack_app = settings.slack_app is not None
        connected = base.NotifierConnection(
            clock, settings.installation, settings.management.public_url, quota, has_slack_app
        )
        notifiers[name] = registry.KINDS[config.kind].make(name, config, connected)
    longest = max((config.timeout_seconds for config in settings.notifiers.values()), default=0.0)
    quiet = {name: config.quiet_hours.build() for name, config in settings.notifiers.items() if config.quiet_hours}
    return notifications.Channels(notifiers, make_subscriptions(settings), longest, quiet)
