"""The router's own failure, seen: an incident where an account at a vendor has stopped working, and a ping elsewhere.

What it reports goes the way of every alert, through the inbox, so it is written down, folded and reconciled like one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from router.domain import alert as alerts
from router.domain import decision as decisions
from router.domain import delivery as deliveries
from router.domain import identity
from router.domain import severity as severities
from router.outbound import errors
from router.store import health, stream
from router.store import incidents as incident_store
from router.telemetry import log
from router.worker import bound, breaker

SOURCE = RULE = "incident-router"


@dataclass(frozen=True)
class Wanted:
    """How the router reports itself: at which destinations, after how long (microseconds), and where it is pinged.

    ``place`` is the configuration file, which is what a report is decided by.
    """

    destinations: tuple[str, ...] = ()
    after: int = 300_000_000
    ping: Callable[[], Awaitable[None]] | None = None
    place: str = ""


class Own:
    """Reports on this worker's accounts."""

    def __init__(
        self,
        wanted: Wanted,
        places: Mapping[str, bound.Bound],
        breakers: breaker.Breakers,
        *,
        store: incident_store.Incidents,
        inbox: stream.Inbox,
        randomness: identity.Randomness,
    ) -> None:
        """Take what is wanted, the destinations and how they fare, and the way into the inbox."""
        self._wanted = wanted
        self._places = places
        self._breakers = breakers
        self._store = store
        self._inbox = inbox
        self._randomness = randomness
        self._log = log.get("worker")

    async def turn(self, now: int) -> None:
        """Report what has failed for long enough, and what works again; each once."""
        told = {name: breaker.Condition() for name in self._places} | dict(self._breakers.conditions)
        held = await self._store.read([_key(name) for name in told]) if self._wanted.destinations else {}
        for name, condition in told.items():
            if not held:
                return
            reported = held[_key(name)].incident.status != "closed"
            if condition.failing_since and not reported:
                if now - condition.failing_since >= self._wanted.after:
                    await self._say(name, "firing", condition, now)
            elif reported and condition.well:
                await self._say(name, "resolved", condition, now)

    async def ping(self, condition: health.Health) -> None:
        """Tell whoever waits for it that this worker lives and reaches its store."""
        if self._wanted.ping is None:
            return
        await condition.ping()
        try:
            await self._wanted.ping()
        except errors.Failure as failure:
            self._log.warning("ping_failed", reason=failure.message)

    async def _say(self, name: str, status: alerts.Status, condition: breaker.Condition, now: int) -> None:
        targets = self._targets(name)
        if not targets:
            return
        self._log.error("own_failure" if status == "firing" else "own_recovery", destination=name)
        alert = alerts.Alert(
            SOURCE,
            f"destination/{name}",
            status,
            condition.failing_since or now,
            0 if status == "firing" else now,
            f"incident-router can't reach {name}",
            {"alertname": "DestinationFails", "destination": name},
            {"reason": condition.reason},
            "major",
        )
        response = decisions.Response(RULE, self._wanted.place, "", targets)
        decision = decisions.Decision(_key(name), severities.Severity.MAJOR, response)
        delivery = deliveries.pack(identity.new_delivery_id(now, self._randomness), SOURCE, now, [(alert, decision)])
        await self._inbox.accept(delivery, b"")

    def _targets(self, failing: str) -> tuple[decisions.Target, ...]:
        """Where it is told: at every wanted destination but those of the same account."""
        account = self._places[failing].account
        title = f"incident-router can't reach {failing}"
        text = "Incidents there are neither opened nor resolved until it works again. The router's log says why."
        found = []
        for name in self._wanted.destinations:
            place = self._places[name]
            if place.account != account:
                known = place.kind.opening.model_fields
                fields = {"name": title, "summary": text} if "name" in known else {"title": title, "body": text}
                found.append(decisions.Target(name, fields))
        return tuple(found)


def _key(destination: str) -> str:
    return f'{RULE}{{destination="{destination}"}}'
