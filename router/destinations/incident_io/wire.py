"""The requests and responses of incident.io's API, according to the vendor's OpenAPI description.

Requests leave out members that are None. Responses declare only the members that the router reads.
"""

import datetime as dt
import re
from typing import Annotated, Any

import msgspec

Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]

IDS = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")  # ULIDs
MAX_UPDATES = 100  # The vendor's limit for one incident of a page.
LAST_UPDATE = 95  # The router's limit; the rest is for the resolution, and for people.


class CreateV1(msgspec.Struct, omit_defaults=True):
    """``POST /v1/incidents``."""

    idempotency_key: str
    visibility: str
    name: str
    summary: str
    mode: str
    severity_id: str | None = None
    incident_type_id: str | None = None
    status: str | None = None
    custom_field_entries: list[dict[str, Any]] | None = None
    incident_role_assignments: list[dict[str, Any]] | None = None
    slack_team_id: str | None = None
    source_message_channel_id: str | None = None
    source_message_timestamp: str | None = None


class TimestampValue(msgspec.Struct, frozen=True):
    """The time of an event in an incident. ``value`` is in RFC 3339."""

    incident_timestamp_id: str
    value: str


class CreateV2(msgspec.Struct, omit_defaults=True):
    """``POST /v2/incidents``."""

    idempotency_key: str
    visibility: str
    name: str
    summary: str
    mode: str
    severity_id: str | None = None
    incident_type_id: str | None = None
    incident_status_id: str | None = None
    custom_field_entries: list[dict[str, Any]] | None = None
    incident_role_assignments: list[dict[str, Any]] | None = None
    incident_timestamp_values: list["TimestampValue"] | None = None
    slack_team_id: str | None = None


class Edit(msgspec.Struct, omit_defaults=True):
    """The fields of an incident to change."""

    name: str | None = None
    summary: str | None = None
    severity_id: str | None = None
    incident_status_id: str | None = None
    custom_field_entries: list[dict[str, Any]] | None = None
    incident_role_assignments: list[dict[str, Any]] | None = None
    incident_timestamp_values: list[TimestampValue] | None = None


class EditIncident(msgspec.Struct):
    """``POST /v2/incidents/{id}/actions/edit``."""

    incident: Edit
    notify_incident_channel: bool


class ComponentStatus(msgspec.Struct, frozen=True):
    """The status of one component of a page, in requests and responses."""

    component_id: str
    component_status: str


class CreatePost(msgspec.Struct, omit_defaults=True):
    """``POST /v2/status_page_incidents``."""

    idempotency_key: str
    status_page_id: str
    name: str
    message: str
    incident_status: str
    notify_subscribers: bool
    component_statuses: list[ComponentStatus] | None = None


class CreateUpdate(msgspec.Struct, omit_defaults=True):
    """``POST /v2/status_page_incident_updates``."""

    status_page_incident_id: str
    message: str
    notify_subscribers: bool
    incident_status: str | None = None
    component_statuses: list[ComponentStatus] | None = None


class RetrospectiveUpdate(msgspec.Struct, omit_defaults=True):
    """One update of a resolved post. ``published_at`` is in RFC 3339."""

    incident_status: str
    message: str
    published_at: str
    component_statuses: list[ComponentStatus] | None = None


class CreateRetrospective(msgspec.Struct):
    """``POST /v2/status_page_retrospective_incidents``: without notifications. The last update is the resolution."""

    idempotency_key: str
    status_page_id: str
    name: str
    updates: list[RetrospectiveUpdate]


class Rename(msgspec.Struct):
    """``PUT /v2/status_page_incidents/{id}``."""

    name: str


class AlertEvent(msgspec.Struct, omit_defaults=True):
    """``POST /v2/alert_events/http/{alert_source_config_id}``."""

    title: str
    status: str
    deduplication_key: str
    description: str | None = None
    metadata: dict[str, Any] | None = None
    source_url: str | None = None


class AttachAlert(msgspec.Struct):
    """``POST /v2/incident_alerts``."""

    alert_id: str
    incident_id: str


class CreateEscalation(msgspec.Struct, omit_defaults=True):
    """``POST /v2/escalations``, with an escalation path or users, but not both."""

    idempotency_key: str
    title: str
    escalation_path_id: str | None = None
    user_ids: list[str] | None = None
    incident_id: str | None = None
    description: str | None = None


class Severity(msgspec.Struct, frozen=True):
    """A severity of the account; a higher ``rank`` is worse."""

    id: str
    name: str
    rank: int = 0


class Type(msgspec.Struct, frozen=True):
    """An incident type of the account."""

    id: str
    name: str


class Status(msgspec.Struct, frozen=True):
    """An incident status of the account."""

    id: str
    name: str
    category: str
    rank: int = 0


class Page(msgspec.Struct, frozen=True):
    """A status page."""

    id: str
    name: str
    public_url: str = ""


class Component(msgspec.Struct, frozen=True, rename={"id": "component_id"}):
    """A component of a page."""

    id: str
    name: str


class Group(msgspec.Struct, frozen=True):
    """A group of components."""

    name: str
    components: list[Any] = []


class Item(msgspec.Struct, frozen=True):
    """One entry in the structure of a page or a sub-page. Exactly one member is set."""

    component: Component | None = None
    group: Group | None = None
    sub_page: "SubPage | None" = None


class SubPage(msgspec.Struct, frozen=True):
    """A sub-page of a page."""

    name: str
    items: list[Any] = []


class Structure(msgspec.Struct, frozen=True):
    """The structure of a page. The items aren't parsed yet."""

    items: list[Any] = []


class Created(msgspec.Struct, frozen=True):
    """A new incident. In version 1 of the API it has a ``status``, in version 2 an ``incident_status``."""

    id: str
    status: str = ""
    incident_status: Status | None = None
    permalink: str = ""
    name: str = ""
    summary: str = ""
    severity: Severity | None = None
    updated_at: Any = None
    custom_field_entries: Any = None
    incident_role_assignments: Any = None


class Incident(msgspec.Struct, frozen=True):
    """An incident, in the responses of API version 2."""

    id: str
    incident_status: Status
    name: str = ""
    summary: str = ""
    permalink: str = ""
    severity: Severity | None = None
    updated_at: Any = None
    custom_field_entries: Any = None
    incident_role_assignments: Any = None
    created_at: Any = None


class Update(msgspec.Struct, frozen=True):
    """One update in a post's timeline."""

    id: str = ""
    message: str = ""
    incident_status: str = ""
    published_at: Any = None
    component_statuses: list[ComponentStatus] | None = None


class Impact(msgspec.Struct, frozen=True):
    """A period in which a component was affected. Without ``end_at`` the component still is."""

    component_id: str
    component_status: str
    end_at: str | None = None


class Post(msgspec.Struct, frozen=True):
    """An incident of a status page."""

    id: str
    status_page_id: str
    name: str
    incident_status: str
    updates: list[Update] | None = None
    component_impacts: list[Impact] | None = None
    published_at: Moment | None = None


class Alert(msgspec.Struct, frozen=True):
    """An alert, as a list shows it."""

    id: str
    deduplication_key: str
    status: str
    title: str = ""
    alert_source_id: str = ""
    created_at: Any = None
    updated_at: Any = None


class AlertSource(msgspec.Struct, frozen=True):
    """An alert source. A key with the permission to see it also sees the source's token."""

    name: str = ""
    source_type: str = ""
    secret_token: str = ""


class Escalation(msgspec.Struct, frozen=True):
    """An escalation."""

    id: str
    status: str = ""


class EscalationPath(msgspec.Struct, frozen=True):
    """An escalation path of the account."""

    id: str
    name: str


class CustomField(msgspec.Struct, frozen=True):
    """A custom field of the account."""

    id: str
    name: str
    field_type: str = ""


class Option(msgspec.Struct, frozen=True):
    """An option of a custom field of a select type."""

    id: str
    value: str

    @property
    def name(self) -> str:
        """Return the display name."""
        return self.value


class Role(msgspec.Struct, frozen=True):
    """An incident role of the account."""

    id: str
    name: str


class Timestamp(msgspec.Struct, frozen=True):
    """An incident timestamp of the account, such as "Impact started"."""

    id: str
    name: str


class Timestamps(msgspec.Struct):
    """Response of ``GET /v2/incident_timestamps``."""

    incident_timestamps: list[Any]


class CustomFields(msgspec.Struct):
    """Response of ``GET /v2/custom_fields``."""

    custom_fields: list[CustomField]


class Roles(msgspec.Struct):
    """Response of ``GET /v2/incident_roles``."""

    incident_roles: list[Role]


class Options(msgspec.Struct):
    """Response of ``GET /v1/custom_field_options``."""

    custom_field_options: list[Option]
    pagination_meta: "Pagination | None" = None


class Severities(msgspec.Struct):
    """Response of ``GET /v1/severities``."""

    severities: list[Any]


class Types(msgspec.Struct):
    """Response of ``GET /v1/incident_types``."""

    incident_types: list[Any]


class Statuses(msgspec.Struct):
    """Response of ``GET /v1/incident_statuses``."""

    incident_statuses: list[Any]


class Pagination(msgspec.Struct):
    """The cursor of a list. Without ``after``, the page is the last."""

    after: str | None = None


class Incidents(msgspec.Struct):
    """Response of ``GET /v2/incidents``."""

    incidents: list[Any]
    pagination_meta: Pagination | None = None


class Posts(msgspec.Struct):
    """Response of ``GET /v2/status_page_incidents``."""

    status_page_incidents: list[Any]
    pagination_meta: Pagination | None = None


class Windows(msgspec.Struct):
    """Response of ``GET /v1/maintenance_windows``."""

    maintenance_windows: list[Any]
    pagination_meta: Pagination | None = None


class Alerts(msgspec.Struct):
    """Response of ``GET /v2/alerts``."""

    alerts: list[Any]
    pagination_meta: Pagination | None = None


class IncidentAlerts(msgspec.Struct):
    """Response of ``GET /v2/incident_alerts``."""

    incident_alerts: list[Any]


class EscalationPaths(msgspec.Struct):
    """Response of ``GET /v2/escalation_paths``."""

    escalation_paths: list[Any]
    pagination_meta: Pagination | None = None


class Pages(msgspec.Struct):
    """Response of ``GET /v2/status_pages``."""

    status_pages: list[Any]
    pagination_meta: Pagination | None = None


class StructureAnswer(msgspec.Struct):
    """Response of ``GET /v2/status_page_structures/{id}``."""

    current_structure: Structure


class CreatedAnswer(msgspec.Struct):
    """Response to creating an incident."""

    incident: Created


class IncidentAnswer(msgspec.Struct):
    """Response to showing or editing an incident."""

    incident: Incident


class UpdateAnswer(msgspec.Struct):
    """Response to adding an update."""

    status_page_incident_update: Update | None = None


class PostAnswer(msgspec.Struct):
    """Response to creating, showing, or renaming a post."""

    status_page_incident: Post


class EventAnswer(msgspec.Struct):
    """Response to an alert event, which the vendor processes later."""

    deduplication_key: str


class AlertSourceAnswer(msgspec.Struct):
    """Response to showing an alert source."""

    alert_source: AlertSource


class EscalationAnswer(msgspec.Struct):
    """Response to creating or showing an escalation."""

    escalation: Escalation
