"""The escalations of the simulated incident.io: each pages a path's people, or single users."""

from dataclasses import dataclass, field
from typing import Any

from router.simulator.incident_io import answers, requests, state

PRIMARY = "01H0J1EXE7AXZ2C93K61WBPYEH"
"""The ID of the escalation path "Primary", which is the example in the vendor's documentation."""
PATHS = {PRIMARY: "Primary", "01H0J1EXE7AXZ2C93K61WBPYEJ": "Database"}
USER = "01FCNDV6P870EA6S7TK1DSYDG0"
"""The ID of the only person who can be paged directly."""
_OVER = frozenset({"resolved", "expired"})


class CreateEscalation(requests.Request):
    """``POST /v2/escalations``: by a path, or to users, but not both."""

    idempotency_key: requests.Required
    title: requests.Required
    description: str | None = None
    escalation_path_id: str | None = None
    user_ids: tuple[str, ...] = ()
    incident_id: str | None = None


@dataclass
class Escalation:
    """One escalation. Times are microseconds since the epoch."""

    id: str
    key: str
    title: str
    created_at: int
    description: str = ""
    path: str = ""
    users: list[str] = field(default_factory=list)
    incident: str = ""
    status: str = "triggered"


class Escalations:
    """All escalations of an account."""

    def __init__(self) -> None:
        self.known: dict[str, Escalation] = {}

    def create(self, wanted: CreateEscalation, of: state.State) -> Escalation:
        """Page, or return the escalation with this key."""
        known = next((one for one in self.known.values() if one.key == wanted.idempotency_key), None)
        if known is not None:
            return known
        if bool(wanted.escalation_path_id) == bool(wanted.user_ids):
            raise state.Refusal(422, "invalid_value", "either a path or users, but not both", "escalation_path_id")
        if wanted.escalation_path_id and wanted.escalation_path_id not in PATHS:
            raise state.Refusal(422, "invalid_value", "no such escalation path", "escalation_path_id")
        if any(user != USER for user in wanted.user_ids):
            raise state.Refusal(422, "invalid_value", "no such user", "user_ids")
        if wanted.incident_id and wanted.incident_id not in of.incidents:
            raise state.Refusal(422, "invalid_value", "no such incident", "incident_id")
        made = Escalation(of.new_id(), wanted.idempotency_key, wanted.title, of.now())
        made.description, made.path = wanted.description or "", wanted.escalation_path_id or ""
        made.users, made.incident = list(wanted.user_ids), wanted.incident_id or ""
        self.known[made.id] = made
        return made

    def cancel(self, identity: str) -> None:
        """Stop paging. An escalation that is over can't be canceled; one that is canceled already stays so."""
        escalation = self.named(identity)
        if escalation.status in _OVER:
            raise state.Refusal(422, "invalid_value", f"the escalation is {escalation.status}")
        escalation.status = "cancelled"

    def named(self, identity: str) -> Escalation:
        """Return the escalation with an ID. Raises ``Refusal`` if there is none."""
        if identity not in self.known:
            raise state.Refusal(404, "not_found", "escalation not found")
        return self.known[identity]

    def found(self, query: Any) -> list[Escalation]:
        """Return the escalations that match the query of a list, the newest first."""
        keys, incidents = query.getlist("idempotency_key[is]"), query.getlist("incident[one_of]")
        return [
            one
            for one in reversed(self.known.values())
            if (not keys or one.key in keys) and (not incidents or one.incident in incidents)
        ]

    @staticmethod
    def answer(one: Escalation, of: state.State) -> dict[str, Any]:
        """Return an escalation as ``EscalationV2``."""
        incident = of.incidents.get(one.incident)
        found: dict[str, Any] = {
            "id": one.id,
            "title": one.title,
            "description": one.description,
            "status": one.status,
            "created_at": answers.moment(one.created_at),
            "updated_at": answers.moment(one.created_at),
            "creator": {},
            "events": [],
            "priority": {"name": "P1"},
            "related_alerts": [],
            "related_incidents": [answers.incident_slim(incident)] if incident else [],
        }
        return {**found, "escalation_path_id": one.path} if one.path else found


def path(identity: str) -> dict[str, Any]:
    """Return an escalation path as ``EscalationPathV2``."""
    return {
        "id": identity,
        "name": PATHS[identity],
        "kind": "standalone",
        "path": [],
        "team_ids": [],
    }
