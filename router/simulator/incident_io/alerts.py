"""The alerts of the simulated incident.io, as its HTTP alert sources create them.

An event is accepted with 202, and a source processes its events in order. Firing events with one deduplication key are
one alert, and a resolved event ends that alert. A resolved event without an alert is accepted and dropped. Whether a
firing event opens a resolved alert again is undocumented: ``refires`` chooses.
"""

import copy
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pydantic

from router.simulator.incident_io import answers, requests, state

SOURCE = "01GW2G3V0S59R238FAHPDS1R66"
"""The ID of the account's only HTTP source, which is the example in the vendor's documentation."""
OTHER_SOURCE = "01GW2G3V0S59R238FAHPDS1R67"
"""The ID of a source of another type, which accepts no HTTP events."""

# The vendor documents no limits. The simulator has some, so that the router is held to texts of a sensible length.
Title = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1000)]
Key = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=255)]


class CreateEvent(requests.Request):
    """``POST /v2/alert_events/http/{id}``. The key is required for every source created since 2024."""

    title: Title
    status: Literal["firing", "resolved"]
    deduplication_key: Key
    description: Annotated[str, pydantic.StringConstraints(max_length=50_000)] | None = None
    metadata: dict[str, Any] | None = None
    source_url: str | None = None


class AttachAlert(requests.Request):
    """``POST /v2/incident_alerts``."""

    alert_id: requests.Required
    incident_id: requests.Required
    re_relate: bool = False


@dataclass
class Alert:
    """One alert. Times are microseconds since the epoch; ``resolved_at`` is 0 while it fires."""

    id: str
    key: str
    title: str
    created_at: int
    updated_at: int
    resolved_at: int = 0
    description: str = ""
    source_url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: int = 1

    @property
    def status(self) -> str:
        """Return whether it fires or has resolved."""
        return "resolved" if self.resolved_at else "firing"

    def answer(self) -> dict[str, Any]:
        """Return the alert as ``AlertV2``."""
        found = {
            "id": self.id,
            "alert_source_id": SOURCE,
            "alert_group_ids": [],
            "attributes": [],
            "created_at": answers.moment(self.created_at),
            "updated_at": answers.moment(self.updated_at),
            "deduplication_key": self.key,
            "title": self.title,
            "description": self.description,
            "source_url": self.source_url,
            "status": self.status,
            "tags": [],
        }
        return {**found, "resolved_at": answers.moment(self.resolved_at)} if self.resolved_at else found

    def slim(self) -> dict[str, Any]:
        """Return the alert as ``AlertSlimV2``."""
        return {name: value for name, value in self.answer().items() if name not in {"attributes", "tags"}}


class Alerts:
    """All alerts of an account.

    ``token`` is the secret of the source; if empty, every key that the simulator accepts is accepted. ``refires``: a
    firing event reopens a resolved alert. ``unrelated`` are pairs of an alert and an incident that a person has
    separated. ``drops``: the source's filter drops every event. ``busy``: the incidents are locked by another
    operation.
    """

    def __init__(self) -> None:
        self.known: dict[str, Alert] = {}
        self.attached: dict[tuple[str, str], str] = {}
        self.unrelated: set[tuple[str, str]] = set()
        self.token = ""
        self.refires = False
        self.drops = False
        self.busy = False

    def reset(self) -> None:
        """Delete all alerts, and restore the settings."""
        self.known.clear()
        self.attached.clear()
        self.unrelated.clear()
        self.token, self.refires, self.drops, self.busy = "", False, False, False

    def accept(self, create_event: CreateEvent, account: state.State) -> dict[str, Any]:
        """Process an event. Return the response."""
        answer = {
            "status": "success",
            "message": "Event accepted for processing",
            "deduplication_key": create_event.deduplication_key,
        }
        alert, now = self.by_key(create_event.deduplication_key), account.now()
        # A 202 doesn't prove that an alert exists, so the router reads alerts if it has an account key.
        if self.drops or (alert is None and create_event.status == "resolved"):
            return answer
        if alert is None:
            alert = Alert(account.new_id(), create_event.deduplication_key, create_event.title, now, now)
            self.known[alert.id] = alert
        before = copy.deepcopy(alert)
        if create_event.status == "resolved":
            # A repeated resolution keeps the time of the first one.
            alert.resolved_at = alert.resolved_at or now
        elif not alert.resolved_at or self.refires:
            # Only the change from resolved to firing pages again. A repeated firing event doesn't.
            alert.pages += bool(alert.resolved_at)
            # Whether a firing event changes the texts of a firing alert is undocumented. Here it does.
            alert.resolved_at, alert.title = 0, create_event.title
            alert.description, alert.source_url = create_event.description or "", create_event.source_url or ""
            alert.metadata = dict(create_event.metadata or {})
        # An event without effect leaves the time as it is.
        alert.updated_at = now if alert != before else alert.updated_at
        return answer

    def by_key(self, key: str) -> Alert | None:
        """Return the alert with a deduplication key."""
        return next((alert for alert in self.known.values() if alert.key == key), None)

    def find(self, query: Any) -> list[Alert]:
        """Return the alerts that match the query of a list, the newest first."""
        keys, statuses = query.getlist("deduplication_key[is]"), query.getlist("status[one_of]")
        sources = query.getlist("alert_source[one_of]")
        return [
            alert
            for alert in reversed(self.known.values())
            if (not keys or alert.key in keys)
            and (not statuses or alert.status in statuses)
            and (not sources or SOURCE in sources)
        ]

    def attach(self, attach_alert: AttachAlert, account: state.State) -> dict[str, Any]:
        """Attach an alert to an incident. Return the connection, which may exist already."""
        if attach_alert.alert_id not in self.known:
            raise state.Refusal(404, "not_found", "alert not found")
        if attach_alert.incident_id not in account.incidents:
            raise state.Refusal(404, "not_found", "incident not found")
        # The router must retry this conflict, which says nothing about the alert or the incident.
        if self.busy:
            raise state.Refusal(409, "conflict", "the incident is locked by another operation")
        pair = (attach_alert.alert_id, attach_alert.incident_id)
        # This is a person's decision. The router never sets `re_relate`, so the alert stays separated.
        if pair in self.unrelated and not attach_alert.re_relate:
            raise state.Refusal(422, "invalid_value", "a person has marked the alert as unrelated", "alert_id")
        # A repeated call returns the same connection, so a lost response does no harm.
        if pair not in self.attached:
            self.attached[pair] = account.new_id()
        return self._connection(pair, account)

    def connections(self, query: Any, account: state.State) -> list[dict[str, Any]]:
        """Return the connections that match the query of a list."""
        alert, incident = query.get("alert_id"), query.get("incident_id")
        return [
            self._connection(pair, account)
            for pair in self.attached
            if alert in {None, pair[0]} and incident in {None, pair[1]}
        ]

    def _connection(self, pair: tuple[str, str], account: state.State) -> dict[str, Any]:
        alert, incident = self.known[pair[0]].slim(), answers.incident_slim(account.incidents[pair[1]])
        return {"id": self.attached[pair], "alert": alert, "incident": incident}


def source(identity: str, token: str) -> dict[str, Any]:
    """Return an alert source as ``AlertSourceV2``. Raises ``Refusal`` for an unknown ID."""
    if identity not in {SOURCE, OTHER_SOURCE}:
        raise state.Refusal(404, "not_found", "alert source not found")
    # The second source exists so that `check --online` can find a source of the wrong type.
    kind = "http" if identity == SOURCE else "email"
    fields: dict[str, Any] = {
        "id": identity,
        "name": f"incident-router by {kind}",
        "source_type": kind,
        "template": {
            "attributes": [],
            "expressions": [],
            "title": {"label": "Title", "literal": "title"},
            "description": {"label": "Description", "literal": "description"},
            "is_private": False,
        },
        "owning_team_ids": [],
    }
    # With the token, `check --online` recognizes a token that belongs to another source.
    return {**fields, "secret_token": token} if token else fields
