"""What each publication of an incident should be now: read off the incident, never off events."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from router.destinations import base
from router.domain import incident as incidents
from router.domain import publication as publications

Render = Callable[[Mapping[str, Any], incidents.Incident], dict[str, Any]]


class Place(Protocol):
    """What matters of a destination here: its kind, and the destination whose incidents it may draft posts from."""

    @property
    def kind(self) -> base.Kind:
        """The line of the registry."""
        ...

    @property
    def follows(self) -> str:
        """The name of the other destination; empty where there is none."""
        ...


def with_missing(incident: incidents.Incident, known: list[publications.Publication]) -> list[publications.Publication]:
    """Add a publication for each target of the open episode that has none yet; earlier episodes' stay."""
    if incident.status != "open" or incident.response is None:
        return known
    present = {(publication.episode, publication.destination) for publication in known}
    return known + [
        publications.Publication(incident.episode, target.destination, opened_at=incident.opened_at)
        for target in incident.response.targets
        if (incident.episode, target.destination) not in present
    ]


def desired(
    incident: incidents.Incident,
    publication: publications.Publication,
    siblings: list[publications.Publication],
    place: Place,
    render: Render,
) -> publications.Desired:
    """Say what the publication should be: open as the incident says, or closed where its episode is over."""
    current = publication.episode == incident.episode
    target = None
    if current and incident.response is not None:
        target = next((t for t in incident.response.targets if t.destination == publication.destination), None)
    content = publication.content
    if content is None or (target is not None and incident.status == "open"):
        fields = render(target.fields, incident) if target is not None else {}
        content = publications.Content(incident.severity, fields)
    followed = _followed(publication, siblings, place.follows)
    return publications.Desired(
        present=current and incident.status == "open" and target is not None,
        content=content,
        public=place.kind.public,
        publish=target.publish if target is not None else "review",
        approved=current and publication.destination in incident.approvals,
        adopts=place.kind.adopts and followed is not None,
        linked_id=followed.vendor_id if followed is not None else "",
        follows_settled=followed is None or bool(followed.dead) or followed.settled,
    )


def _followed(
    publication: publications.Publication, siblings: list[publications.Publication], follows: str
) -> publications.Publication | None:
    """The publication of the same episode that this page may have drafted its post from."""
    if not follows:
        return None
    return next((s for s in siblings if (s.episode, s.destination) == (publication.episode, follows)), None)
