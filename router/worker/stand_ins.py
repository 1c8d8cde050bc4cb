"""The content of a publication that stands in for a destination at which the incident can't be opened."""

from collections.abc import Mapping
from typing import Any

from router.destinations import base
from router.domain import incidents, publications

_TITLES, _TEXTS = ("name", "title"), ("summary", "body", "description", "message")


def content_for(
    content: publications.Content, incident: incidents.Incident, opening: type[base.Opening]
) -> publications.Content:
    """Return the title and the text of a rule's rendered fields, by the names that another kind has for them.

    Without a title, that of the alert is used: the destination's defaults may have the title.
    """
    alert = incident.opening_alert
    known = alert.title or alert.identity if alert is not None else incident.key
    title, text = _first(content.fields, _TITLES) or known, _first(content.fields, _TEXTS)
    fields = {name: value for name, value in base.titled(opening, title, text).items() if value}
    return publications.Content(content.severity, fields)


def _first(rendered: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(rendered[name]) for name in names if rendered.get(name)), "")
