"""A webhook that receives the events of a deployment whose processes are killed.

Every stored event must arrive, with one body for each ID. A killed worker may repeat events that it sent but did not
record, at most as many as one of its batches holds.
"""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from tests.integration import receiver

AT_ONCE = 32  # Subjects that a worker delivers at a time.
SECRET = "whsec_" + "A" * 43 + "="


def settings(hook: receiver.Receiver) -> str:
    """Return the part of the configuration that sends all events to the receiver."""
    return (
        f'notifiers: {{hook: {{kind: webhook, url: "{hook.url}", secrets: ["{SECRET}"], per_minute: 1000000}}}}\n'
        "notify: {incidents: [hook], dead_letters: [hook]}\n"
    )


async def list_lost(hook: receiver.Receiver, store: Any, subjects: Iterable[str]) -> AsyncIterator[str]:
    """Yield each stored event that the receiver didn't get."""
    received = {request.headers["webhook-id"] for request in list(hook.requests)}
    for subject in subjects:
        for event in await store.notifications.events(subject):
            if event.id not in received:
                yield f"{subject}: {event.id} ({event.type}) was not delivered"


def list_unexplained(requests: Sequence[receiver.Request], kills: int) -> Iterator[str]:
    """Yield deliveries that killed workers don't explain: too many repetitions, or different bodies."""
    if not requests:
        yield "no event was delivered"
    bodies: dict[str, set[bytes]] = defaultdict(set)
    opened: dict[str, set[str]] = defaultdict(set)
    for request in requests:
        event = json.loads(request.body)
        bodies[event["id"]].add(request.body)
        if event["type"] == "incident-router.incident.opened":
            opened[event["data"]["incident"]["reference"]].add(event["id"])
    repeated = len(requests) - len(bodies)
    if repeated > AT_ONCE * kills:
        yield f"{repeated} events were delivered again after {kills} kills"
    for name, found in bodies.items():
        if len(found) > 1:
            yield f"{name} has {len(found)} bodies"
    for reference, times in Counter({name: len(found) for name, found in opened.items()}).items():
        if times > 1:
            yield f"{reference} was announced {times} times"
