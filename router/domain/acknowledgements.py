"""Acknowledgements: an operator works on an open incident. They are stored with the incident, for one episode.

Repeated alerts, further alerts, and a lower severity don't end an acknowledgement. These events do:

| event | reason |
| --- | --- |
| an operator withdraws it | the operator no longer works on the incident |
| the severity rises above the acknowledged severity | the operator acknowledged a smaller outage |
| the incident ends and reopens | a new episode may have another cause |
"""

from typing import Literal

import msgspec

from router.domain import severities
from router.domain.times import Timestamp

EndCause = Literal["withdrawn", "escalated", ""]
"""Why an acknowledgement ended before its episode; empty if it hasn't."""


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True):
    """An acknowledgement of an episode at ``severity``.

    ``destination`` is set if a responder acknowledged the incident at that vendor. ``who`` is empty then, because
    vendors don't report the responder. ``ended_at`` is when it ended before its episode (0: not ended), ``ended_by``
    the operator who withdrew it. Times are microseconds since the epoch.
    """

    who: str
    at: Timestamp
    severity: severities.Severity
    reason: str = ""
    destination: str = ""
    ended_at: Timestamp = Timestamp(0)
    ended_cause: EndCause = ""
    ended_by: str = ""
    ended_reason: str = ""

    @property
    def name(self) -> str:
        """Return the display name of the operator, or of the destination if a responder acknowledged there."""
        return self.who or f"a responder at {self.destination}"


def after_severity(
    acknowledgement: Acknowledgement | None, severity: severities.Severity, now: Timestamp
) -> Acknowledgement | None:
    """Return the acknowledgement at the current severity. End it if the severity is worse than acknowledged."""
    if acknowledgement is None or acknowledgement.ended_at or severity <= acknowledgement.severity:
        return acknowledgement
    return msgspec.structs.replace(acknowledgement, ended_at=now, ended_cause="escalated")
