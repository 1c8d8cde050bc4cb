"""What stands before all public pages, and what people are shown of incidents, made from the settings."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import redis.asyncio

from router import settings as configuration
from router.destinations import base, preview, rule_fields
from router.destinations import registry as destinations
from router.domain import decisions, identity, incidents, timeline
from router.domain import publications as publishing
from router.rules import leak_guard, public_texts, templates
from router.store import components, publishing_state, review_outcomes
from router.store import incidents as incident_store
from router.store import publications as publication_store
from router.worker import corrections as correcting
from router.worker import desired_state
from router.worker import publishing_guard as showing
from router.worker import retractions as retracting
from router.worker import reviews as reviewing

_HOUR = 3_600_000_000  # Microseconds.


@dataclass(frozen=True)
class Place:
    """A configured destination, as far as it matters without its vendor."""

    kind: base.Kind
    follows: str
    config: base.Config | None = None

    def preview(self, name: str, content: publishing.Content, what: str) -> reviewing.Shown:
        """What customers would see of a content here."""
        if self.config is None:
            return reviewing.plain(name, content, what)
        fields = preview.preview_fields(self.kind, self.config, name, content, what)
        return reviewing.Shown(fields, preview.component_statuses(self.kind, fields))


def kinds(settings: configuration.Settings) -> dict[str, Place]:
    """The configured destinations, without their vendors."""
    return {
        name: Place(destinations.KINDS[config.kind], getattr(config, "follows", ""), config)
        for name, config in settings.destinations.items()
    }


def previewer(places: Mapping[str, Place]) -> reviewing.Preview:
    """Make what says how a destination shows a content."""

    def show(name: str, content: publishing.Content, what: str) -> reviewing.Shown:
        place = places.get(name)
        return reviewing.plain(name, content, what) if place is None else place.preview(name, content, what)

    return show


def public_renderer(hosts: Collection[str]) -> desired_state.RenderPublic:
    """Make what renders the texts that customers see; links that variables take part in may lead to ``hosts`` alone."""

    def render_public(
        fields: Mapping[str, Any], incident: incidents.Incident, allowed: Mapping[str, decisions.Allowed]
    ) -> tuple[dict[str, Any], str]:
        return public_texts.render(fields, _context(incident), allowed, hosts)

    return render_public


def examiner(hosts: Collection[str]) -> desired_state.Examine:
    """Make what examines texts that no rule has written; they may name hosts of the domains ``hosts``."""

    def examine(texts: Iterable[str]) -> str:
        return ", ".join(dict.fromkeys(said for text in texts for said in leak_guard.objections(text, hosts)))

    return examine


def render(fields: Mapping[str, Any], incident: incidents.Incident) -> dict[str, Any]:
    """Render a target's templates with what is known of the incident."""
    return templates.render(fields, _context(incident))


def _context(incident: incidents.Incident) -> Mapping[str, Any]:
    alert, response = incident.opening_alert, incident.response
    assert alert is not None and response is not None  # noqa: S101, PT018 - what has targets was opened by an alert
    return templates.context(
        alert,
        response,
        key=incident.key,
        severity=incident.severity,
        reference=identity.reference(incident.episode),
        follows=identity.reference(incident.follows) if incident.follows else "",
        opened_at=incident.opened_at,
    )


def pages(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> showing.PublishingGuard:
    """What stands before all public pages."""
    wanted = settings.pages
    limits = showing.Limits(
        publishing_state.Limit(wanted.automatic_posts.most, wanted.automatic_posts.within),
        publishing_state.Limit(wanted.automatic_components.most, wanted.automatic_components.within),
        wanted.updates_apart,
        wanted.look_every,
        publishing_state.Limit(wanted.updates_per_hour, _HOUR),
    )
    hosts = wanted.allowed_hosts
    desires = desired_state.DesiredStateBuilder(render, public_renderer(hosts), examine=examiner(hosts))
    return showing.PublishingGuard(
        publishing_state.PublishingControls(connection),
        review_outcomes.ReviewOutcomes(connection),
        components.Components(connection),
        limits,
        desires,
    )


def publications(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> publication_store.Publications:
    """What is known of all incidents' appearances."""
    return publication_store.Publications(connection, lease_seconds=settings.worker.lease_seconds)


def reviews(
    settings: configuration.Settings, connection: "redis.asyncio.Redis", clock: Callable[[], int]
) -> reviewing.Reviews:
    """What waits for a person at the configured public pages."""
    places = kinds(settings)
    return reviewing.Reviews(
        publications(settings, connection),
        incident_store.Incidents(connection),
        pages(settings, connection),
        places,
        clock,
        preview=previewer(places),
    )


def retractions(
    settings: configuration.Settings, connection: "redis.asyncio.Redis", clock: Callable[[], int]
) -> retracting.Retractions:
    """What writes retractions down."""
    return retracting.Retractions(
        publications(settings, connection),
        incident_store.Incidents(connection),
        pages(settings, connection),
        kinds(settings),
        clock,
    )


def corrections(
    settings: configuration.Settings, connection: "redis.asyncio.Redis", clock: Callable[[], int]
) -> correcting.Corrections:
    """What takes corrections of posted updates in."""
    return correcting.Corrections(publications(settings, connection), incident_store.Incidents(connection), clock)


def wrong_fields(settings: configuration.Settings, destination: str, fields: Mapping[str, Any]) -> str:
    """What is wrong with what a person would have shown at a destination; empty where it fits."""
    config = settings.destinations[destination]
    try:
        rule_fields.parse(destinations.KINDS[config.kind].opening, config, fields)
    except pydantic.ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
    return ""


def doubtful(settings: configuration.Settings, fields: Mapping[str, Any]) -> list[str]:
    """What customers should perhaps not read in the fields that a reviewer wrote; the reviewer has the last word."""
    hosts = settings.pages.allowed_hosts
    return [f"{name}: {said}" for name, text in fields.items() for said in leak_guard.objections(str(text), hosts)]


class Story(msgspec.Struct, frozen=True):
    """All that is known of an incident: what it is, where it appears, and what happened to it."""

    incident: incidents.Incident
    publications: list[publishing.Publication]
    timeline: list[timeline.Event]


async def told(settings: configuration.Settings, connection: "redis.asyncio.Redis", name: str) -> Story | None:
    """All that is known of the incident of this key; None where there is none."""
    store = incident_store.Incidents(connection)
    held = (await store.read([name]))[name]
    if not held.version:
        return None
    return Story(held.incident, await publications(settings, connection).look(name), await store.timeline(name))
