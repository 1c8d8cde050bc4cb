"""What waits for a person: publications at public pages that a rule wants reviewed, and nobody has approved yet."""

from collections.abc import Collection
from typing import NamedTuple

from router.domain import alert as alerts
from router.domain import incident as incidents
from router.domain import publication as publications
from router.store import incidents as incident_store
from router.store import publications as publication_store


class Review(NamedTuple):
    """One publication that waits. ``title`` and ``message`` are what would be shown; ``since`` is microseconds.

    ``because`` says for each rule that decided what it asked, and the value that the alert had there.
    """

    incident: str
    episode: str
    destination: str
    rule: str
    severity: str
    title: str
    message: str
    since: int
    owner: str = ""
    runbook: str = ""
    because: tuple[str, ...] = ()


class Reviews:
    """All that waits. ``public`` are the names of the destinations that customers see."""

    def __init__(
        self,
        documents: publication_store.Publications,
        store: incident_store.Incidents,
        public: Collection[str],
    ) -> None:
        self._documents = documents
        self._store = store
        self._public = public

    async def waiting(self) -> list[Review]:
        """Everything that waits, the oldest first."""
        found: list[Review] = []
        for name in await self._documents.names():
            held = (await self._store.read([name]))[name]
            found += waiting(held.incident, await self._documents.look(name), self._public)
        return sorted(found, key=lambda review: (review.since, review.incident, review.destination))

    async def approve(self, incident: str, destination: str, who: str) -> Review | None:
        """Let what waits there be shown; None where nothing waits there (any more)."""
        for review in await self.waiting():
            if (review.incident, review.destination) == (incident, destination):
                approved = await self._store.approve(incident, review.episode, destination, who)
                return review if approved else None
        return None


def waiting(
    incident: incidents.Incident, known: list[publications.Publication], public: Collection[str]
) -> list[Review]:
    """The reviews of one incident."""
    if incident.status != "open" or incident.response is None:
        return []
    targets = {target.destination: target for target in incident.response.targets if target.publish == "review"}
    return [
        Review(
            incident.key,
            incident.episode,
            one.destination,
            incident.response.rule,
            incident.severity.word,
            str(targets[one.destination].fields.get("title", "")),
            str(targets[one.destination].fields.get("message", "")),
            incident.opened_at,
            incident.response.owner,
            incident.response.runbook,
            because(incident),
        )
        for one in known
        if one.episode == incident.episode
        and one.destination in targets
        and one.destination in public
        and one.destination not in incident.approvals
        and one.state in {"absent", "draft"}
        and not one.dead
    ]


def because(incident: incidents.Incident) -> tuple[str, ...]:
    """Why the incident was opened: a line for each rule that decided, as it is kept with the incident."""
    response, alert = incident.response, incident.opening_alert
    if response is None or alert is None:
        return ()
    lines = []
    for one in response.because:
        asked = [f"{field} {words}{_value(field, words, alert)}".strip() for field, words in one.asked]
        lines.append(f"rule {one.rule} ({one.place}): {'; '.join(asked) or 'matches every alert'}")
    return tuple(lines)


def _value(field: str, words: str, alert: alerts.Alert) -> str:
    """The value that was found, where the words do not say it already."""
    if not field or words.startswith("= "):
        return ""
    part, _, key = field.partition(".")
    value = getattr(alert, part).get(key, "") if key else getattr(alert, part)
    return f', it was "{value}"'
