"""Which components of a status page an incident affects, and how badly; vendors' own words are mapped from these."""

from collections.abc import Mapping
from typing import Literal

from router.destinations import ladder
from router.domain import severity as severities

Status = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]

Components = dict[str, Status] | tuple[str, ...]
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
