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

    def create(self, create_escalation: CreateEscalation, account: state.State) -> Escalation:
        """Page, or return the escalation with this key."""
        escalation = next(
            (candidate for candidate in self.known.values() if candidate.key == create_escalation.idempotency_key), None
        )
        # The existing escalation is returned before any check, so a repeated call can neither page twice nor fail.
        if escalation is not None:
            return escalation
        if bool(create_escalation.escalation_path_id) == bool(create_escalation.user_ids):
            raise state.Refusal(422, "invalid_value", "either a path or users, but not both", "escalation_path_id")
        if create_escalation.escalation_path_id and create_escalation.escalation_path_id not in PATHS:
            raise state.Refusal(422, "invalid_value", "no such escalation path", "escalation_path_id")
        if any(user != USER for user in create_escalation.user_ids):
            raise state.Refusal(422, "invalid_value", "no such user", "user_ids")
        if create_escalation.incident_id and create_escalation.incident_id not in account.incidents:
            raise state.Refusal(422, "invalid_value", "no such incident", "incident_id")
        created = Escalation(
            account.new_id(), create_escalation.idempotency_key, create_escalation.title, account.now()
        )
        created.description, created.path = (
            create_escalation.description or "",
            create_escalation.escalation_path_id or "",
        )
        created.users, created.incident = list(create_escalation.user_ids), create_escalation.incident_id or ""
        self.known[created.id] = created
        return created

    def cancel(self, identity: str) -> None:
        """Stop paging. An ended escalation can't be canceled. A canceled escalation stays canceled."""
        escalation = self.find_by_id(identity)
        # The escalation has ended already, so the router has no page to stop and accepts this refusal.
        if escalation.status in _OVER:
            raise state.Refusal(422, "invalid_value", f"the escalation is {escalation.status}")
        # The vendor's spelling in the API.
        escalation.status = "cancelled"

    def find_by_id(self, identity: str) -> Escalation:
        """Return the escalation with an ID. Raises ``Refusal`` if there is none."""
        if identity not in self.known:
            raise state.Refusal(404, "not_found", "escalation not found")
        return self.known[identity]

    def find(self, query: Any) -> list[Escalation]:
        """Return the escalations that match the query of a list, the newest first."""
        keys, incidents = query.getlist("idempotency_key[is]"), query.getlist("incident[one_of]")
        return [
            escalation
            for escalation in reversed(self.known.values())
            if (not keys or escalation.key in keys) and (not incidents or escalation.incident in incidents)
        ]

    @staticmethod
    def answer(escalation: Escalation, account: state.State) -> dict[str, Any]:
        """Return an escalation as ``EscalationV2``."""
        incident = account.incidents.get(escalation.incident)
        fields: dict[str, Any] = {
            "id": escalation.id,
            "title": escalation.title,
            "description": escalation.description,
            "status": escalation.status,
            "created_at": answers.moment(escalation.created_at),
            "updated_at": answers.moment(escalation.created_at),
            "creator": {},
            "events": [],
            "priority": {"name": "P1"},
            "related_alerts": [],
            "related_incidents": [answers.incident_slim(incident)] if incident else [],
        }
        return {**fields, "escalation_path_id": escalation.path} if escalation.path else fields


def path(identity: str) -> dict[str, Any]:
    """Return an escalation path as ``EscalationPathV2``."""
    return {
        "id": identity,
        "name": PATHS[identity],
        "kind": "standalone",
        "path": [],
        "team_ids": [],
    }
