"""The requests that DevHelm accepts, by its OpenAPI description: required fields, lengths, enums, formats."""

from typing import Annotated, Literal
from uuid import UUID

import pydantic
from pydantic import alias_generators

Severity = Literal["DOWN", "DEGRADED", "MAINTENANCE"]
Status = Literal["WATCHING", "TRIGGERED", "CONFIRMED", "RESOLVED"]
Source = Literal["AUTOMATIC", "MANUAL", "MONITORS", "STATUS_DATA", "RESOURCE_GROUP"]
Impact = Literal["NONE", "MINOR", "MAJOR", "CRITICAL"]
PostStatus = Literal["INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"]
# A draft can't be published as resolved.
ActiveStatus = Literal["INVESTIGATING", "IDENTIFIED", "MONITORING"]
ComponentStatus = Literal["OPERATIONAL", "DEGRADED_PERFORMANCE", "PARTIAL_OUTAGE", "MAJOR_OUTAGE", "UNDER_MAINTENANCE"]
Text = Annotated[str, pydantic.StringConstraints(min_length=1)]
Title = Annotated[str, pydantic.StringConstraints(max_length=500)]
# An empty URL is valid, because it clears the field.
Url = Annotated[str, pydantic.StringConstraints(max_length=2048, pattern=r"^$|^https?://.*")]


class Request(pydantic.BaseModel):
    """A body or a query: names in camel case, unknown ones ignored."""

    # Models are built at their first use, which keeps the start of `run --simulate` fast.
    model_config = pydantic.ConfigDict(defer_build=True, alias_generator=alias_generators.to_camel, extra="ignore")


class CreateIncident(Request):
    """``POST /api/v1/incidents``."""

    title: Text
    severity: Severity
    monitor_id: UUID | None = None
    body: str | None = None


class PatchIncident(Request):
    """``PATCH /api/v1/incidents/{id}``: null keeps."""

    title: Text | None = None
    severity: Severity | None = None


class AddUpdate(Request):
    """``POST /api/v1/incidents/{id}/updates``."""

    # Required only here. DevHelm notifies by default in all other requests, so the router always sets the flag.
    notify_subscribers: pydantic.StrictBool
    body: str | None = None
    new_status: Status | None = None


class Resolve(Request):
    """``POST /api/v1/incidents/{id}/resolve``."""

    body: str | None = None


class ListIncidents(Request):
    """The query of ``GET /api/v1/incidents``."""

    status: Status | None = None
    severity: Severity | None = None
    source: Source | None = None
    monitor_id: UUID | None = None
    exclude_id: UUID | None = None
    started_from: pydantic.AwareDatetime | None = None
    started_to: pydantic.AwareDatetime | None = None
    search: Annotated[str, pydantic.StringConstraints(max_length=200)] | None = None
    page: int = pydantic.Field(default=0, ge=0)
    # DevHelm's API description gives incidents a smaller default than its other lists.
    size: int = pydantic.Field(default=10, ge=1, le=200)


class ListPosts(Request):
    """The query of the lists of a page's incidents, of pages and of components."""

    status: list[PostStatus] | None = None
    page: int = pydantic.Field(default=0, ge=0)
    size: int = pydantic.Field(default=20, ge=1, le=200)


class Affected(Request):
    """The status of one component during a post."""

    component_id: UUID
    status: ComponentStatus


class CreatePost(Request):
    """``POST /api/v1/status-pages/{id}/incidents``."""

    title: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=500)]
    impact: Impact
    body: Text
    status: PostStatus | None = None
    affected_components: list[Affected] | None = None
    notify_subscribers: pydantic.StrictBool | None = None
    monitoring_incident_id: UUID | None = None


class PutPost(Request):
    """``PUT …/incidents/{incidentId}``: null keeps, empty clears."""

    title: Title | None = None
    status: PostStatus | None = None
    impact: Impact | None = None
    affected_components: list[Affected] | None = None
    postmortem_body: str | None = None
    postmortem_url: Url | None = None
    published: pydantic.StrictBool | None = None


class PublishPost(Request):
    """``POST …/publish``: null keeps the draft's value."""

    title: Title | None = None
    impact: Impact | None = None
    status: ActiveStatus | None = None
    body: str | None = None
    affected_components: list[Affected] | None = None
    notify_subscribers: pydantic.StrictBool | None = None


class PatchUpdate(Request):
    """``PATCH …/updates/{updateId}``: the body is replaced; null keeps the status."""

    body: Annotated[str, pydantic.StringConstraints(max_length=10_000)]
    status: PostStatus | None = None


class PostUpdate(Request):
    """``POST …/updates``."""

    status: PostStatus
    body: Text
    notify_subscribers: pydantic.StrictBool | None = None
    affected_components: list[Affected] | None = None
