"""Builds the content of a publication that stands in for a destination whose vendor blocks the incident."""

from collections.abc import Mapping
from typing import Any

from router.destinations import base
from router.domain import incidents, publications


def content_for(
    content: publications.Content, incident: incidents.Incident, opening: type[base.Opening]
) -> publications.Content:
    """Return the title and text of a rule's rendered fields, by the field names of another kind.

    If the rule has no title, use the alert's title, because the title may be in the original destination's defaults.
    """
    alert = incident.opening_alert
    name = alert.title or alert.identity if alert is not None else incident.key
    title, text = _first(content.fields, base.TITLE_FIELDS) or name, _first(content.fields, base.TEXT_FIELDS)
    fields = {name: value for name, value in base.map_title_and_text(opening, title, text).items() if value}
    return publications.Content(content.severity, fields)


def _first(rendered: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(rendered[name]) for name in names if rendered.get(name)), "")
