"""The requests that incident.io accepts, by its OpenAPI description: required fields, lengths, enums."""

from typing import Annotated, Literal

import pydantic

Status = Literal["triage", "investigating", "fixing", "monitoring", "closed", "declined"]
PostStatus = Literal["investigating", "identified", "monitoring", "resolved"]
# The worst status is `full_outage`, not `major_outage` as at DevHelm. There is no status for maintenance.
ComponentStatus = Literal["operational", "degraded_performance", "partial_outage", "full_outage"]
Required = Annotated[str, pydantic.StringConstraints(min_length=1)]
# The limit applies to posts. The API description has none for the name of an incident.
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]
Message = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4096)]


class Request(pydantic.BaseModel):
    """A body; unknown fields are ignored."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="ignore")


class FieldValue(Request):
    """One value of a custom field."""

    id: str | None = None
    value_catalog_entry_id: str | None = None
    value_link: str | None = None
    value_numeric: str | None = None
    value_option_id: str | None = None
    value_text: str | None = None
    value_timestamp: str | None = None


class FieldEntry(Request):
    """The values of one custom field."""

    custom_field_id: Required
    values: list[FieldValue]


class Person(Request):
    """A user, by an ID or a name."""

    id: str | None = None
    email: str | None = None
    slack_user_id: str | None = None


class Role(Request):
    """A user in a role."""

    incident_role_id: Required
    assignee: Person | None = None


class TimestampValue(Request):
    """When something in the incident's life happened."""

    incident_timestamp_id: Required
    value: pydantic.AwareDatetime | None = None


class _Create(Request):
    idempotency_key: Required
    visibility: Literal["public", "private"]
    custom_field_entries: list[FieldEntry] = []
    incident_role_assignments: list[Role] = []
    incident_type_id: str | None = None
    name: str | None = None
    severity_id: str | None = None
    slack_team_id: str | None = None
    summary: str | None = None


class CreateV1(_Create):
    """``POST /v1/incidents``."""

    mode: Literal["real", "test"] = "real"
    source_message_channel_id: str | None = None
    source_message_timestamp: str | None = None
    # Without a status, an incident waits in triage until a responder accepts it.
    status: Status = "triage"


class CreateV2(_Create):
    """``POST /v2/incidents``."""

    id: str | None = None
    mode: Literal["standard", "retrospective", "test", "tutorial"] = "standard"
    incident_status_id: str | None = None
    incident_timestamp_values: list[TimestampValue] = []
    slack_channel_name_override: str | None = None


class Edit(Request):
    """The incident in ``POST /v2/incidents/{id}/actions/edit``."""

    call_url: str | None = None
    custom_field_entries: list[FieldEntry] | None = None
    incident_role_assignments: list[Role] | None = None
    incident_status_id: str | None = None
    incident_timestamp_values: list[TimestampValue] | None = None
    name: str | None = None
    severity_id: str | None = None
    slack_channel_name_override: str | None = None
    summary: str | None = None


class EditEnvelope(Request):
    """``POST /v2/incidents/{id}/actions/edit``."""

    incident: Edit
    # Without strictness, Pydantic would accept texts such as "true", which the API description doesn't allow.
    notify_incident_channel: pydantic.StrictBool


class Affected(Request):
    """The status of one component."""

    component_id: Required
    component_status: ComponentStatus


class CreatePost(Request):
    """``POST /v2/status_page_incidents``."""

    idempotency_key: Required
    status_page_id: Required
    name: Name
    message: Message
    incident_status: PostStatus
    notify_subscribers: pydantic.StrictBool
    component_statuses: list[Affected] = []


class UpdatePost(Request):
    """``POST /v2/status_page_incident_updates``."""

    status_page_incident_id: Required
    message: Message
    notify_subscribers: pydantic.StrictBool
    # Without a status, an update keeps the status of the post.
    incident_status: PostStatus | None = None
    # None differs from an empty list here: a resolving update must not have the field at all.
    component_statuses: list[Affected] | None = None


class PastUpdate(Request):
    """One update of a retrospective incident."""

    incident_status: PostStatus
    message: Message
    published_at: pydantic.AwareDatetime
    component_statuses: list[Affected] = []


class CreateRetrospective(Request):
    """``POST /v2/status_page_retrospective_incidents``."""

    idempotency_key: Required
    status_page_id: Required
    name: Name
    updates: Annotated[list[PastUpdate], pydantic.Field(min_length=1)]


class RenamePost(Request):
    """``PUT /v2/status_page_incidents/{id}``."""

    name: Name


class Paging(Request):
    """The query of every list."""

    page_size: int = pydantic.Field(default=25, ge=1, le=250)
    after: str | None = None
