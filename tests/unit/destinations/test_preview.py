"""A review preview equals the published post: defaults, final text, and the status of each component."""

import pytest

from router.destinations import preview, registry
from router.domain import operations, publications, severities

CRITICAL = severities.Severity.CRITICAL
PUBLIC = [name for name, kind in registry.KINDS.items() if kind.public]


def make_config(name, **settings):
    kind = registry.KINDS[name]
    return kind, kind.config(kind=name, api_key="key", page="Acme", **settings)


def content(**fields):
    return publications.Content(CRITICAL, {"title": "t", "message": "m", **fields})


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize(
    "named",
    [("API", "Shop"), {"API": "minor", "Shop": "critical"}, {"API": "operational", "Shop": "partial_outage"}],
)
def test_components_have_the_statuses_that_the_destination_publishes(name, named):
    kind, config = make_config(name, component_statuses={"minor": "partial_outage"})
    said = content(components=named)
    destination = kind.make("page", config, None)
    published = destination.touches(operations.Operation("open", "e" * 32, "page", 1, said, 0))
    assert preview.preview_fields(kind, config, "page", said)["components"] == published
    assert len(published) == 2


@pytest.mark.parametrize(
    ("name", "word"), [("incident-io-status-page", "full outage"), ("devhelm-status-page", "major outage")]
)
def test_statuses_are_shown_with_the_vendor_s_names(name, word):
    kind, config = make_config(name)
    shown = preview.preview_fields(kind, config, "page", content(components={"Web shop": "critical"}))
    assert preview.component_statuses(kind, shown) == {"Web shop": word}


@pytest.mark.parametrize("name", PUBLIC)
def test_preview_includes_the_page_s_defaults(name):
    kind, config = make_config(name, defaults={"message": "We are looking.", "components": ["API"]})
    shown = preview.preview_fields(kind, config, "page", publications.Content(CRITICAL, {"title": "t"}))
    assert (shown["title"], shown["message"], shown["components"]) == ("t", "We are looking.", {"API": "major_outage"})


@pytest.mark.parametrize("name", PUBLIC)
def test_updates_and_resolutions_show_their_texts(name):
    kind, config = make_config(name)
    texts = content(update_message="Still.", resolve_message="Over.", components=["API"])
    assert preview.preview_fields(kind, config, "page", texts, "update")["message"] == "Still."
    over = preview.preview_fields(kind, config, "page", texts, "resolution")
    assert (over["message"], over["components"]) == ("Over.", {"API": "operational"})
    assert preview.preview_fields(kind, config, "page", content(), "resolution")["message"] == config.resolve_message
    assert preview.preview_fields(kind, config, "page", content(), "update")["message"] == config.update_message


def test_fields_the_vendor_would_refuse_are_shown_unchanged():
    kind, config = make_config("incident-io-status-page")
    broken = publications.Content(CRITICAL, {"message": "m"})
    assert preview.preview_fields(kind, config, "page", broken) == {"message": "m"}


def test_preview_without_component_support_shows_none():
    kind = registry.KINDS["incident-io"]
    assert preview.component_statuses(kind, {"name": "n"}) == {}
