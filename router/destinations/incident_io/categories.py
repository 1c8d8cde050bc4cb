"""The categories of incident.io's incident statuses: finished, paused, in triage, and accepted from triage."""

from router.destinations.incident_io import wire
from router.domain import operations

# The categories of finished incidents. "learning" is called post-incident in the application.
OVER = frozenset({"closed", "declined", "canceled", "merged", "learning"})
PAUSED = "paused"
TRIAGE = "triage"


def is_in_triage(created: wire.Created) -> bool:
    """Return whether a new incident waits for a responder who accepts it."""
    if created.incident_status is not None:
        return created.incident_status.category == TRIAGE
    return created.status == TRIAGE


def is_accepted(incident: wire.Incident, operation: operations.Operation) -> bool:
    """Return whether a responder has accepted an incident that was in triage.

    The vendor has no other acknowledgement of an incident. One that was opened as active never waited for a responder.
    """
    now = incident.incident_status.category
    return operation.view.fields.get("category") == TRIAGE and now != TRIAGE and now not in OVER
