"""Builds the publishing guard of all public pages, and the previews and reviews of incidents, from the settings."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from router import configuration
from router.destinations import base, preview, registry
from router.domain import decisions, identity, incidents, times
from router.domain.publications import Content
from router.domain.times import Timestamp
from router.rules import leak_guard, public_texts, templates
from router.store import publishing_state
from router.store.store import Store
from router.worker import desired_state, publishing_guard
from router.worker.corrections import Corrections
from router.worker.retractions import Retractions
from router.worker.reviews import Preview, PreviewedPost, Reviews, plain


@dataclass(frozen=True)
class ConfiguredPage:
    """A configured destination, without the connection to its vendor."""

    kind: base.Kind
    follows: str
    config: base.Config | None = None

    def preview(self, name: str, content: Content, purpose: str) -> PreviewedPost:
        """Return what customers would see of a content at this destination."""
        if self.config is None:
            return plain(name, content, purpose)
        fields = preview.preview_fields(self.kind, self.config, name, content, purpose)
        return PreviewedPost(fields, preview.component_statuses(self.kind, fields))


def configured_pages(settings: configuration.Settings) -> dict[str, ConfiguredPage]:
    """Return the configured destinations, without their vendors."""
    return {
        name: ConfiguredPage(registry.KINDS[config.kind], base.linked_destination(config), config)
        for name, config in settings.destinations.items()
    }


def make_preview(places: Mapping[str, ConfiguredPage]) -> Preview:
    """Return a function that shows how a destination displays a content."""

    def show(name: str, content: Content, purpose: str) -> PreviewedPost:
        place = places.get(name)
        return plain(name, content, purpose) if place is None else place.preview(name, content, purpose)

    return show


def make_public_renderer(hosts: Collection[str]) -> desired_state.RenderPublic:
    """Return a renderer of public texts. Links that contain variables may only lead to ``hosts``."""

    def render_public(
        fields: Mapping[str, Any], incident: incidents.Incident, allowed: Mapping[str, decisions.Allowed]
    ) -> tuple[dict[str, Any], str]:
        return public_texts.render(fields, _context(incident), allowed, hosts)

    return render_public


def make_examiner(hosts: Collection[str]) -> desired_state.Examine:
    """Return a function that checks texts that don't come from a rule. They may name hosts of the domains ``hosts``."""

    def examine(texts: Iterable[str]) -> str:
        return ", ".join(dict.fromkeys(objection for text in texts for objection in leak_guard.objections(text, hosts)))

    return examine


def render(fields: Mapping[str, Any], incident: incidents.Incident) -> dict[str, Any]:
    """Render a target's templates with the data of the incident."""
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


def pages(settings: configuration.Settings, store: Store) -> publishing_guard.PublishingGuard:
    """Return the publishing guard of all public pages."""
    settings_of_pages = settings.pages
    limits = publishing_guard.GuardLimits(
        publishing_state.Limit(settings_of_pages.automatic_posts.max, settings_of_pages.automatic_posts.window),
        publishing_state.Limit(
            settings_of_pages.automatic_components.max, settings_of_pages.automatic_components.window
        ),
        settings_of_pages.min_update_interval,
        settings_of_pages.observe_interval,
        publishing_state.Limit(settings_of_pages.max_updates_per_hour, times.HOUR),
    )
    hosts = settings_of_pages.allowed_hosts
    desires = desired_state.DesiredStateBuilder(render, make_public_renderer(hosts), examine=make_examiner(hosts))
    return publishing_guard.PublishingGuard(
        store,
        limits,
        desires,
    )


def reviews(settings: configuration.Settings, store: Store, clock: Callable[[], Timestamp]) -> Reviews:
    """Return the reviews of the configured public pages."""
    places = configured_pages(settings)
    return Reviews(
        store,
        pages(settings, store),
        places,
        clock,
        preview=make_preview(places),
    )


def retractions(settings: configuration.Settings, store: Store, clock: Callable[[], Timestamp]) -> Retractions:
    """Return the object that stores retractions."""
    return Retractions(
        store,
        pages(settings, store),
        configured_pages(settings),
        clock,
    )


def corrections(store: Store, clock: Callable[[], Timestamp]) -> Corrections:
    """Return the object that stores corrections of posted updates."""
    return Corrections(store, clock)
