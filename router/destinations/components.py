"""Which components of a status page an incident affects, and how badly; vendors' own words are mapped from these."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from router.destinations import ladder
from router.domain import severity as severities

Status = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]

TAGS = ("with their statuses", "names alone")
"""How pydantic tells the two ways apart; they are no part of a field's path."""


def _tag(value: Any) -> str:
    return TAGS[0] if isinstance(value, Mapping) else TAGS[1]


Components = Annotated[
    Annotated[dict[str, Status], pydantic.Tag(TAGS[0])] | Annotated[tuple[str, ...], pydantic.Tag(TAGS[1])],
    pydantic.Discriminator(_tag),
]
"""What a rule says: a status for each component by name or id, or only names, whose status follows the severity."""

DEFAULT_STATUSES: Mapping[ladder.Word, Status] = {
    "critical": "major_outage",
    "major": "partial_outage",
    "minor": "degraded_performance",
    "info": "operational",
}


def statuses(
    components: Components, severity: severities.Severity, by_severity: Mapping[ladder.Word, Status]
) -> dict[str, Status]:
    """Say the status of each component named in ``components``."""
    if isinstance(components, dict):
        return components
    return dict.fromkeys(components, ladder.pick(by_severity, severity))
