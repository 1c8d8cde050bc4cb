"""Maps an incident to components of a status page and their statuses. Destinations map these to the vendor's terms."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import pydantic

from router.destinations import severity_mapping
from router.domain import severities

Outage = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]
"""The statuses that every page supports."""
Status = Literal["operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"]

TAGS = ("with their statuses", "names alone")
"""Pydantic's tags of the two forms. They aren't part of a field's path."""


def _tag(value: Any) -> str:
    return TAGS[0] if isinstance(value, Mapping) else TAGS[1]


Name = Annotated[str, pydantic.StringConstraints(min_length=1)]

_OutageSaid = Literal[Outage, severity_mapping.Word]
Said = Literal[Status, severity_mapping.Word]
"""A status, or a severity whose status is the one of ``component_statuses``."""

Components = Annotated[
    Annotated[dict[str, Said], pydantic.Tag(TAGS[0])] | Annotated[tuple[Name, ...], pydantic.Tag(TAGS[1])],
    pydantic.Discriminator(_tag),
]
"""A rule's components: a status for each by name or ID, or only names, whose status follows the severity."""
Outages = Annotated[
    Annotated[dict[str, _OutageSaid], pydantic.Tag(TAGS[0])] | Annotated[tuple[Name, ...], pydantic.Tag(TAGS[1])],
    pydantic.Discriminator(_tag),
]
"""A rule's components on a page whose posts have no maintenance status."""

_FIELD = re.compile(r'(title|source|severity|(labels|annotations)\.[^\s"={},]+)')


def _field(name: str) -> str:
    if _FIELD.fullmatch(name) is None:
        raise ValueError("must be a field: labels.<name>, annotations.<name>, title, source, or severity")
    return name


Field = Annotated[str, pydantic.AfterValidator(_field)]
From = dict[Field, dict[str, Name]]
"""The component that each alert affects: maps a field's name to a mapping of its texts to names or IDs."""

DEFAULT_STATUSES: Mapping[severity_mapping.Word, Outage] = {
    "critical": "major_outage",
    "major": "partial_outage",
    "minor": "degraded_performance",
    "info": "operational",
}


ORDER: tuple[Status, ...] = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)
"""From the best to the worst."""


def worst_status(named_statuses: Iterable[tuple[str, str]]) -> dict[str, Status]:
    """Return the worst status given for each component; unknown statuses are ignored."""
    worst: dict[str, Status] = {}
    for name, status in named_statuses:
        if status in ORDER:
            worst[name] = max(worst.get(name, ORDER[0]), ORDER[ORDER.index(status)], key=ORDER.index)
    return worst


def merge_statuses(own_statuses: Mapping[str, Status], others: Mapping[str, str]) -> dict[str, Status]:
    """Return the components with statuses that are at least as bad as those that others set."""
    return {
        name: worst_status([(name, status), (name, others.get(name, ""))])[name]
        for name, status in own_statuses.items()
    }


def statuses(
    components: Components | Outages, severity: severities.Severity, by_severity: Mapping[severity_mapping.Word, Status]
) -> dict[str, Status]:
    """Return the status of each component named in ``components``."""
    if not isinstance(components, dict):
        return dict.fromkeys(components, severity_mapping.map_severity(by_severity, severity))
    return {name: _status(status, by_severity) for name, status in components.items()}


def _status(status: Said, by_severity: Mapping[severity_mapping.Word, Status]) -> Status:
    match status:
        case "critical" | "major" | "minor" | "info":
            return by_severity[status]
    return status
