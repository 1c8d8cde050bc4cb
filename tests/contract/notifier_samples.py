"""A sample event of each type, and its delivery by a notifier of each kind."""

import asyncio
from typing import Any

from router.domain import events, times
from router.notifiers import base, registry
from tests.integration import receiver

NOW = 1_800_000_000_000_000
SECRET = "whsec_" + "A" * 43 + "="
TOKEN = "a-token-in-the-url"
INCIDENT = events.Incident("down", "IR-1", "Checkout is down", "major", "open", times.to_datetime(NOW))
REVIEW = events.Review("page", "opening", "d1", "a reviewer has to approve", "Checkout fails", "We are on it.")
ALL = (
    events.IncidentOpened(INCIDENT),
    events.IncidentEscalated(INCIDENT, "minor"),
    events.IncidentPublished(INCIDENT, (events.Publication("page", "open", True, "https://vendor.example/1"),)),
    events.IncidentUpdated(INCIDENT, (events.Publication("page", "open", True),)),
    events.IncidentResolved(INCIDENT, times.to_datetime(NOW)),
    events.HeartbeatMissed(INCIDENT, 90, times.to_datetime(NOW)),
    events.ReviewWaiting(INCIDENT, REVIEW),
    events.ReviewChanged(INCIDENT, REVIEW, "d0"),
    events.ReviewReminded(INCIDENT, REVIEW, 600),
    events.ReviewEscalated(INCIDENT, REVIEW, 1500),
    events.ReviewDecided(INCIDENT, "page", "approved", "d1", "ann", "looks right"),
    events.OperationFailed(INCIDENT, "page", "422: no such component"),
    events.PublicationDelayed(INCIDENT, "on-call", times.to_datetime(NOW), "503: overloaded", ("pager",)),
    events.PublicationRecovered(INCIDENT, "on-call", "https://vendor.example/1"),
    events.DeliveriesFailed(2, "5-0"),
    events.GuardTripped(times.to_datetime(NOW), "more than 5 posts", "page"),
    events.GuardReset("ann"),
    events.FreezeStarted(times.to_datetime(NOW), "ann", "all hands"),
    events.FreezeEnded("ann"),
    events.IncidentAcknowledged(INCIDENT, "ann", "on it"),
    events.IncidentUnacknowledged(INCIDENT, "withdrawn", "bob", "handed over"),
    events.IncidentReminded(INCIDENT, "stale", 14_400),
    events.ReviewTaken(INCIDENT, REVIEW, "ann"),
    events.ReviewReleased(INCIDENT, REVIEW, "bob"),
    events.TestSent("ann"),
)
SETTINGS: dict[str, Any] = {
    "webhook": lambda url: {"url": f"{url}/in?token={TOKEN}", "secrets": [SECRET]},
    "slack": lambda url: {"token": TOKEN, "channel": "#incidents", "base_url": url},
    "apprise": lambda url: {"urls": [f"{url.replace('http', 'json', 1)}/in/{TOKEN}?-key={SECRET}"]},
}


def record(*found: events.Event) -> list[events.Recorded]:
    subject = "down"
    return [events.Recorded(number, NOW, subject, "IR-1", event) for number, event in enumerate(found, 1)]


def deliver(kind: str, at: receiver.Receiver, found: list[events.Recorded], **settings: Any) -> base.Delivered:
    """Deliver events until none is left. Return the final state."""

    async def main() -> base.Delivered:
        config = registry.KINDS[kind].config(kind=kind, **SETTINGS[kind](at.url), **settings)
        notifier = registry.KINDS[kind].make("ops", config, base.NotifierConnection(lambda: NOW, "prod"))
        try:
            done = base.Delivered(0, {})
            for _ in range(4 * len(found)):
                pending = [one for one in found if one.sequence > done.sequence]
                if not pending:
                    break
                done = await notifier.deliver(base.Batch(pending, done.state))
            return done
        finally:
            await notifier.aclose()

    return asyncio.run(main())
