"""Sends test events to notifiers, and moves up or repeats the delivery of events."""

import msgspec

from router import configuration
from router.domain import events
from router.notifiers import base, registry
from router.store.notifications import unpack_announced
from router.store.store import Store


async def send_test(settings: configuration.Settings, name: str, by: str, clock: base.Clock) -> None:
    """Deliver one test event to a notifier, without Redis. Raises one of ``outbound.errors`` if that fails."""
    config = settings.notifiers[name]
    connected = base.NotifierConnection(clock, settings.installation, settings.management.public_url)
    # The notifier is created here instead of by the worker, so that the test works before a worker runs.
    notifier = registry.KINDS[config.kind].make(name, config, connected)
    event = events.Recorded(1, clock(), events.ROUTER, "test", events.TestSent(by))
    try:
        await notifier.deliver(base.Batch([event], {}))
    finally:
        await notifier.aclose()


async def announce_now(store: Store, incident: str) -> None:
    """Have changes of an incident announced now that would wait for the spacing of announcements."""
    packed = await store.notifications.read_announced(incident)
    before = unpack_announced(packed)
    # Announcements are spaced from the time of the last one. Without a time, the next one isn't delayed.
    if before is not None and before.at:
        # If a worker has announced in the meantime, this writes nothing, and no retry needs to be moved up.
        await store.notifications.announce(incident, packed, msgspec.structs.replace(before, at=0), [])
    # The worker announces changes when it handles the incident, so the incident has to become due.
    await store.publications.wake([incident])


async def redeliver(store: Store, name: str, subject: str, after: int) -> int:
    """Deliver the stored events of a subject after a sequence number again. Return the number of events."""
    recorded_events = await store.notifications.events(subject, after)
    if recorded_events:
        await store.notifications.rewind(subject, name, after)
    return len(recorded_events)
