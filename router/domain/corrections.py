"""An operator's correction of an update that the router has posted at a public page; kept with the incident."""

from typing import Any

import msgspec

from router.domain import publications, severities

_RESOLVED = "RESOLVED"
STATUS_REFUSED = "a correction neither resolves a post nor opens it again"


def is_status_allowed(current: str, wanted: str) -> bool:
    """Return whether a correction may set an update's status to ``wanted``; empty leaves it as it is."""
    return wanted in {"", current} or _RESOLVED not in {wanted, current}


class Correction(msgspec.Struct, frozen=True, array_like=True):
    """What takes the place of an update: its ``body``, and its ``status`` unless that is empty.

    ``seen`` is the mark of the text that the operator has seen: if the update says something else by the time of the
    call, it stays as it is. ``at`` is when it was asked for, in microseconds.
    """

    update: str
    body: str
    seen: str
    who: str
    at: int
    status: str = ""
    reason: str = ""

    def content(self, severity: severities.Severity) -> publications.Content:
        """Return what the operation is handed, as its content."""
        return publications.Content(severity, msgspec.structs.asdict(self))


def from_content(content: publications.Content) -> Correction:
    """Read a correction from the content of its operation."""
    fields: dict[str, Any] = content.fields
    return Correction(**fields)


def pending(known: dict[str, Correction], publication: publications.Publication) -> Correction | None:
    """Return the correction of a publication that is still to be made, if there is one."""
    found = known.get(publication.name)
    return found if found is not None and found.at > publication.corrected_at else None
