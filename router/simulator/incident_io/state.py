"""The state of the simulated incident.io and its transitions."""

import copy
import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

from router.simulator.incident_io import requests
from router.simulator.options import Options

# incident.io documents these limits of a post's updates, and of the subscribers that it notifies.
MAX_UPDATES = 100
MAX_NOTIFIED_SUBSCRIBERS = 1000
_CATEGORIES = {
    "Triage": "triage",
    "Investigating": "live",
    "Fixing": "live",
    "Monitoring": "live",
    "Documenting": "learning",
    "Closed": "closed",
    "Declined": "declined",
    "Canceled": "canceled",
    "Paused": "paused",
}
# This is Crockford's base 32, as in ULIDs. It has no I, L, O, and U.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refusal(Exception):
    """An error response to a call, with its status, its code, and the field at fault."""

    def __init__(self, status: int, code: str, message: str, field_name: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field_name = field_name


@dataclass
class Named:
    """A severity, type, status, or component: an ID, a name, a rank and, for statuses, a category."""

    id: str
    name: str
    rank: int = 0
    category: str = ""
    group: str = ""


@dataclass
class Incident:
    """One incident, with the fields of both versions of the API."""

    id: str
    number: int
    name: str
    visibility: str
    mode: str
    status: Named
    created_at: int
    updated_at: int
    summary: str = ""
    severity: Named | None = None
    type: Named | None = None
    slack_team_id: str = ""
    call_url: str = ""
    custom_fields: list[dict[str, Any]] = field(default_factory=list)
    roles: list[dict[str, Any]] = field(default_factory=list)
    timestamps: dict[str, dt.datetime] = field(default_factory=dict)


@dataclass
class Update:
    """One update of a post. ``components`` are IDs with statuses."""

    id: str
    at: int
    status: str
    message: str
    notify: bool
    components: dict[str, str]


@dataclass
class Post:
    """An incident of a status page."""

    id: str
    page_id: str
    name: str
    published_at: int
    updates: list[Update] = field(default_factory=list)
    impacts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Return the status of the newest update."""
        return self.updates[-1].status


class State:
    """The whole state of one organization at incident.io."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.severities = self._make_options("Minor", "Major", "Critical")
        self.types = self._make_options("Default", "Security")
        self.statuses = self._make_options(*_CATEGORIES)
        for status in self.statuses:
            status.category = _CATEGORIES[status.name]
        self.custom_field, self.role = self._make_options("Affected service", "Incident Lead")
        (self.select_field,) = self._make_options("Cause")
        self.options = self._make_options("Deployment", "Third party")
        (self.page,) = self._make_options("Acme Status")
        self.components = self._make_options("Checkout API", "Payments", "Web shop", "Search")
        # The last component stays outside the group, so that both forms of a component's name are tested.
        for component in self.components[:3]:
            component.group = "Shop"
        self.group_id = self.new_id()
        self.timestamps = self._make_options("Reported at", "Impact started", "Impact ended")
        self.incidents: dict[str, Incident] = {}
        self.posts: dict[str, Post] = {}
        # Keys are separate for incidents, posts, and retrospective posts. They never expire here: incident.io documents
        # no time.
        self.by_key: dict[tuple[str, str], str] = {}
        self.subscribers = 12

    def reset(self) -> None:
        """Delete incidents and posts. The account's setup stays."""
        self.incidents.clear()
        self.posts.clear()
        self.by_key.clear()

    def new_id(self) -> str:
        """Return an ID in the vendor's format. The same seed gives the same IDs."""
        bits = self._options.randomness.getrandbits(120)
        return "01" + "".join(_LETTERS[bits >> shift & 31] for shift in range(0, 120, 5))

    def now(self) -> int:
        """Return the vendor's time, in microseconds since the epoch."""
        return self._options.clock()

    def create(self, request: requests.CreateV1 | requests.CreateV2) -> Incident:
        """Create an incident, or return the one that was created with this key."""
        existing = self.by_key.get(("incident", request.idempotency_key))
        # A repeated key returns the first object unchanged, even if the body differs or a person has closed it since.
        if existing is not None:
            return self.incidents[existing]
        incident = Incident(
            self.new_id(),
            len(self.incidents) + 1,
            request.name or "Unnamed incident",
            request.visibility,
            "real" if request.mode == "standard" else request.mode,
            self._first_status(request),
            self.now(),
            self.now(),
            request.summary or "",
            one_of(self.severities, request.severity_id, "severity_id"),
            one_of(self.types, request.incident_type_id, "incident_type_id") or self.types[0],
            request.slack_team_id or "",
        )
        self._fill(incident, request.custom_field_entries, request.incident_role_assignments)
        if isinstance(request, requests.CreateV2):
            self._date(incident, request.incident_timestamp_values)
        self.incidents[incident.id] = incident
        self.by_key["incident", request.idempotency_key] = incident.id
        return incident

    def edit(self, incident: Incident, request: requests.Edit) -> None:
        """Change the given fields. All other fields stay."""
        severity = one_of(self.severities, request.severity_id, "severity_id")
        status = one_of(self.statuses, request.incident_status_id, "incident_status_id")
        # incident.io doesn't close a paused incident. A person has to resume it first.
        if status is not None and (incident.status.category, status.category) == ("paused", "closed"):
            raise Refusal(422, "invalid_value", "a paused incident can't be closed", "incident_status_id")
        # A refused edit changes nothing, so the fields are set on a copy.
        edited = replace(
            incident,
            custom_fields=copy.deepcopy(incident.custom_fields),
            roles=copy.deepcopy(incident.roles),
            timestamps=dict(incident.timestamps),
        )
        edited.severity = severity or edited.severity
        edited.status = status or edited.status
        edited.name = request.name or edited.name
        # An empty summary clears it. A name can't be empty.
        edited.summary = edited.summary if request.summary is None else request.summary
        edited.call_url = request.call_url or edited.call_url
        self._fill(edited, request.custom_field_entries, request.incident_role_assignments)
        self._date(edited, request.incident_timestamp_values or [])
        edited.updated_at = self.now()
        vars(incident).update(vars(edited))

    def create_post(self, request: requests.CreatePost) -> Post:
        """Create a post, or return the one that was created with this key."""
        existing = self.by_key.get(("post", request.idempotency_key))
        if existing is not None:
            return self.posts[existing]
        one_of([self.page], request.status_page_id, "status_page_id")
        self._check_subscribers(request.notify_subscribers)
        post = Post(self.new_id(), self.page.id, request.name, self.now())
        self._post_update(
            post,
            request.incident_status,
            request.message,
            request.component_statuses,
            notify=request.notify_subscribers,
        )
        self.posts[post.id] = post
        self.by_key["post", request.idempotency_key] = post.id
        return post

    def create_retrospective(self, request: requests.CreateRetrospective) -> Post:
        """Create a retrospective post, or return the one created with this key. Subscribers aren't notified."""
        existing = self.by_key.get(("retrospective", request.idempotency_key))
        if existing is not None:
            return self.posts[existing]
        one_of([self.page], request.status_page_id, "status_page_id")
        times = [round(update.published_at.timestamp() * 1_000_000) for update in request.updates]
        # A retrospective post is about an ended incident, so no update of it can be in the future.
        if max(times) > self.now():
            raise Refusal(
                422, "invalid_value", "must be in the past", f"updates.{times.index(max(times))}.published_at"
            )
        # The vendor doesn't sort updates, and the last one decides the status of the post.
        if times != sorted(times):
            raise Refusal(422, "invalid_value", "must be in chronological order", "updates")
        statuses = [update.incident_status for update in request.updates]
        # Such a post must be complete, because nothing would resolve it later.
        if statuses[-1] != "resolved" or "resolved" in statuses[:-1]:
            raise Refusal(422, "invalid_value", "only the last update resolves", "updates")
        post = Post(self.new_id(), self.page.id, request.name, times[0])
        for at, update in zip(times, request.updates, strict=True):
            self._post_update(
                post, update.incident_status, update.message, update.component_statuses, notify=False, at=at
            )
        self.posts[post.id] = post
        self.by_key["retrospective", request.idempotency_key] = post.id
        return post

    def update_post(self, post: Post, request: requests.UpdatePost) -> Update:
        """Add an update. Raises ``Refusal`` after 100 updates, and for a resolving update with component statuses."""
        # The limit includes the resolution. The router stops earlier so that there is room for it.
        if len(post.updates) >= MAX_UPDATES:
            raise Refusal(422, "too_many_updates", "a status page incident has at most 100 updates")
        self._check_subscribers(request.notify_subscribers)
        status = request.incident_status or post.status
        # A resolution sets all components of the post back to operational, so the vendor accepts no statuses with it.
        if status == "resolved" and request.component_statuses is not None:
            raise Refusal(422, "invalid_value", "must not be set when resolving", "component_statuses")
        return self._post_update(
            post, status, request.message, request.component_statuses or [], notify=request.notify_subscribers
        )

    def component_status(self, component: Named) -> str:
        """Return the component's status on the page: the active impact of the newest post that has one."""
        # The newest post decides here, even if its status is better. At DevHelm, the worst status counts.
        for post in reversed(self.posts.values()):
            for impact in post.impacts:
                if impact["component_id"] == component.id and impact["end_at"] is None:
                    return str(impact["component_status"])
        return "operational"

    def _post_update(
        self,
        post: Post,
        status: str,
        message: str,
        affected: list[requests.Affected],
        *,
        notify: bool,
        at: int = 0,
    ) -> Update:
        at = at or self.now()
        statuses = {one.component_id: one.component_status for one in affected}
        for component_id in statuses:
            one_of(self.components, component_id, "component_statuses")
        update = Update(self.new_id(), at, status, message, notify, dict(statuses))
        post.updates.append(update)
        for impact in post.impacts:
            # A new status ends the component's previous impact. Components that the update doesn't name keep theirs.
            if impact["end_at"] is None and (status == "resolved" or impact["component_id"] in statuses):
                impact["end_at"] = at
        if status != "resolved":
            post.impacts += [
                {"component_id": identity, "component_status": word, "start_at": at, "end_at": None}
                for identity, word in statuses.items()
                # An operational component has no impact.
                if word != "operational"
            ]
        return update

    def _check_subscribers(self, notify: bool) -> None:
        # The refusal names the flag, so the router publishes the post without notifications.
        if notify and self.subscribers > MAX_NOTIFIED_SUBSCRIBERS:
            message = f"the page has more than {MAX_NOTIFIED_SUBSCRIBERS} subscribers"
            raise Refusal(422, "invalid_value", message, "notify_subscribers")

    def _first_status(self, request: requests.CreateV1 | requests.CreateV2) -> Named:
        if isinstance(request, requests.CreateV1):
            # Version 1 takes the name of a status, and version 2 its ID.
            return next(status for status in self.statuses if status.name.lower() == request.status)
        return one_of(self.statuses, request.incident_status_id, "incident_status_id") or self.statuses[0]

    def _fill(
        self, incident: Incident, fields: list[requests.FieldEntry] | None, roles: list[requests.Role] | None
    ) -> None:
        for at, entry in enumerate(fields or []):
            existing = [self.custom_field, self.select_field]
            one_of(existing, entry.custom_field_id, f"custom_field_entries.{at}.custom_field_id")
        for at, role in enumerate(roles or []):
            one_of([self.role], role.incident_role_id, f"incident_role_assignments.{at}.incident_role_id")
        # Fields that aren't given stay. An empty list of values clears a custom field.
        entries = {stored["custom_field_id"]: stored for stored in incident.custom_fields}
        entries |= {entry.custom_field_id: entry.model_dump(exclude_none=True) for entry in fields or []}
        incident.custom_fields = [stored for stored in entries.values() if stored["values"]]
        assignments = {stored["incident_role_id"]: stored for stored in incident.roles}
        assignments |= {role.incident_role_id: role.model_dump(exclude_none=True) for role in roles or []}
        incident.roles = list(assignments.values())

    def _date(self, incident: Incident, values: list[requests.TimestampValue]) -> None:
        for at, entry in enumerate(values):
            place = f"incident_timestamp_values.{at}.incident_timestamp_id"
            one_of(self.timestamps, entry.incident_timestamp_id, place)
        for entry in values:
            if entry.value is None:
                incident.timestamps.pop(entry.incident_timestamp_id, None)
            else:
                incident.timestamps[entry.incident_timestamp_id] = entry.value

    def _make_options(self, *names: str) -> list[Named]:
        return [Named(self.new_id(), name, rank) for rank, name in enumerate(names, 1)]


def one_of(existing: list[Named], identity: str | None, field_name: str) -> Named | None:
    """Return the record with an ID; None without an ID. Raises ``Refusal`` for an unknown ID."""
    if not identity:
        return None
    for named in existing:
        if named.id == identity:
            return named
    raise Refusal(422, "invalid_value", f"no such thing: {identity}", field_name)
