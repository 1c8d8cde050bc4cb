"""Operators' corrections of updates that the router has posted on a public page. They are stored with the incident."""

from typing import Any

import msgspec

from router.domain import publications, severities
from router.domain.times import Timestamp

_RESOLVED = "RESOLVED"
STATUS_REFUSED = "a correction neither resolves a post nor opens it again"


def is_status_allowed(current: str, requested: str) -> bool:
    """Return whether a correction may set an update's status to ``requested``. Empty keeps the current one."""
    return requested in {"", current} or _RESOLVED not in {requested, current}


class Correction(msgspec.Struct, frozen=True, array_like=True):
    """The replacement for an update: its ``body``, and its ``status`` unless that is empty.

    ``seen`` is the mark of the text that the operator has seen. If the update has another text at the time of the call,
    it stays unchanged. ``at`` is when the correction was requested, in microseconds.
    """

    update: str
    body: str
    seen: str
    who: str
    at: Timestamp
    status: str = ""
    reason: str = ""

    def content(self, severity: severities.Severity) -> publications.Content:
        """Return the content of the operation that makes the correction."""
        return publications.Content(severity, msgspec.structs.asdict(self))


def from_content(content: publications.Content) -> Correction:
    """Read a correction from the content of its operation."""
    fields: dict[str, Any] = content.fields
    return Correction(**fields)


def pending(corrections: dict[str, Correction], publication: publications.Publication) -> Correction | None:
    """Return the pending correction of a publication, if there is one."""
    correction = corrections.get(publication.name)
    return correction if correction is not None and correction.at > (publication.corrected_at or 0) else None
