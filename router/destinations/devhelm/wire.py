"""Requests and responses of DevHelm's API, from the vendor's OpenAPI description.

Requests leave out fields that are None: the vendor keeps their values. Responses name only the fields that are used.
"""

import datetime as dt
import re
from typing import Annotated, Any

import msgspec

Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]

IDS = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")  # UUIDs
OPEN = ("WATCHING", "TRIGGERED", "CONFIRMED")
"""The statuses of an incident that isn't over."""
PAGE_SIZE = 200  # The vendor's largest page.


class CreateIncident(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``POST /api/v1/incidents``."""

    title: str
    severity: str
    monitor_id: str | None = None
    body: str | None = None


class PatchIncident(msgspec.Struct, omit_defaults=True):
    """``PATCH /api/v1/incidents/{id}``. Fields that are omitted stay as they are."""

    title: str | None = None
    severity: str | None = None


class AddUpdate(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``POST /api/v1/incidents/{id}/updates``."""

    notify_subscribers: bool
    body: str | None = None
    new_status: str | None = None


class ResolveIncident(msgspec.Struct, omit_defaults=True):
    """``POST /api/v1/incidents/{id}/resolve``."""

    body: str | None = None


class AffectedComponent(msgspec.Struct, rename="camel", frozen=True):
    """The status of one component during a page's incident."""

    component_id: str
    status: str


class CreatePost(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``POST /api/v1/status-pages/{id}/incidents``."""

    title: str
    impact: str
    body: str
    notify_subscribers: bool
    status: str | None = None
    affected_components: list[AffectedComponent] | None = None
    monitoring_incident_id: str | None = None


class PutPost(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``PUT /api/v1/status-pages/{id}/incidents/{incidentId}``."""

    title: str | None = None
    status: str | None = None
    impact: str | None = None
    affected_components: list[AffectedComponent] | None = None
    postmortem_body: str | None = None
    postmortem_url: str | None = None
    published: bool | None = None


class PublishPost(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``POST /api/v1/status-pages/{id}/incidents/{incidentId}/publish``."""

    title: str
    impact: str
    status: str
    body: str
    notify_subscribers: bool
    affected_components: list[AffectedComponent] | None = None


class PatchUpdate(msgspec.Struct, omit_defaults=True):
    """``PATCH …/updates/{updateId}``. The text is replaced; the status stays if it is omitted."""

    body: str
    status: str | None = None


class PostUpdate(msgspec.Struct, omit_defaults=True, rename="camel"):
    """``POST /api/v1/status-pages/{id}/incidents/{incidentId}/updates``."""

    status: str
    body: str
    notify_subscribers: bool
    affected_components: list[AffectedComponent] | None = None


class Incident(msgspec.Struct, frozen=True, rename="camel"):
    """An incident."""

    id: str
    status: str
    severity: str
    created_at: Moment
    title: str | None = None
    shortlink: str | None = None
    updated_at: Any = None


class IncidentUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """An update in an incident's timeline."""

    body: str | None = None
    id: str = ""
    created_at: Any = None


class LinkedPost(msgspec.Struct, frozen=True, rename="camel"):
    """A page's post that is linked to an incident. ``connection_mode`` is AUTO or MANUAL, see ``linked_posts``."""

    id: str
    connection_mode: str = ""


class Detail(msgspec.Struct, frozen=True):
    """An incident with its timeline, and the posts linked to it."""

    incident: Incident
    updates: list[IncidentUpdate] | None = None
    posts: list[Any] | None = msgspec.field(default=None, name="statusPageIncidents")


class AlertChannel(msgspec.Struct, frozen=True, rename="camel"):
    """A channel to which DevHelm sends its alerts."""

    name: str
    channel_type: str
    enabled: bool = True


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A status page. ``incident_mode`` is MANUAL, REVIEW (creates drafts), or AUTOMATIC (publishes)."""

    id: str
    name: str
    slug: str = ""
    incident_mode: str = ""


class Component(msgspec.Struct, frozen=True, rename="camel"):
    """A component of a page."""

    id: str
    name: str
    current_status: Any = None


class PostComponent(msgspec.Struct, frozen=True, rename="camel"):
    """The status of a component in a post."""

    status_page_component_id: str
    component_status: str
    component_name: Any = None


class TimelineUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """An update in a post's timeline."""

    status: str
    body: str
    id: str = ""
    created_at: Any = None
    created_by: Any = None


class Post(msgspec.Struct, frozen=True, rename="camel"):
    """An incident of a status page. Without ``published_at`` it is a draft; ``updates`` may be missing in lists."""

    id: str
    status_page_id: str
    title: str
    status: str
    impact: str
    created_at: Moment
    incident_id: str | None = None
    published_at: Moment | None = None
    updated_at: Any = None
    postmortem_body: str | None = None
    postmortem_url: str | None = None
    affected_components: list[PostComponent] | None = None
    updates: list[TimelineUpdate] | None = None


class DetailAnswer(msgspec.Struct):
    """Response to creating, reading, or resolving an incident."""

    data: Detail


class PostAnswer(msgspec.Struct):
    """Response to every call on a post."""

    data: Post


class Listed(msgspec.Struct, rename="camel"):
    """One page of any list, with unparsed rows."""

    data: list[Any]
    has_next: bool = False
