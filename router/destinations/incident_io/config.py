"""What can be set for incident.io, once for an account (``…Config``) and by a rule for one incident (``…Opening``)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic

from router.destinations import base, components, ladder, opening

BASE_URL = "https://api.incident.io"

Components = components.Components  # The field that is called so would hide the module.

V1Status = Literal["triage", "investigating", "fixing", "monitoring", "closed", "declined"]
PostStatus = Literal["investigating", "identified", "monitoring"]

# The severities that a new incident.io account has.
DEFAULT_SEVERITIES: Mapping[ladder.Word, str] = {
    "critical": "Critical",
    "major": "Major",
    "minor": "Minor",
    "info": "Minor",
}

_V1_STATUSES = frozenset(V1Status.__args__)  # type: ignore[attr-defined]

Message = Annotated[str, pydantic.StringConstraints(max_length=4096)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class CustomFieldValue(_Part):
    """One value of a custom field; which key holds it depends on the field's type."""

    id: str | None = None
    value_catalog_entry_id: str | None = None
    value_link: str | None = None
    value_numeric: str | None = None
    value_option_id: str | None = None
    value_text: str | None = None
    value_timestamp: str | None = None


class CustomFieldEntry(_Part):
    """The values of one custom field."""

    custom_field_id: str
    values: tuple[CustomFieldValue, ...]


class Assignee(_Part):
    """A person, by any one of these."""

    id: str | None = None
    email: str | None = None
    slack_user_id: str | None = None

    @pydantic.model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.id or self.email or self.slack_user_id):
            raise ValueError("one of id, email and slack_user_id is needed")
        return self


class RoleAssignment(_Part):
    """Who takes an incident role."""

    incident_role_id: str
    assignee: Assignee


class IncidentOpening(base.Opening):
    """What a rule may set for one incident of kind ``incident-io``.

    ``severity`` overrules the account's mapping from the ladder. ``status`` is one of V1's words, under ``api: v2``
    the name or id of any incident status. ``source_message_…`` exist in V1 alone and are left out under V2.
    """

    name: str = pydantic.Field(min_length=1)
    summary: str = ""
    severity: str | None = None
    visibility: Literal["public", "private"] = "public"
    mode: Literal["real", "test"] = "real"
    incident_type: str | None = None
    status: str | None = None
    custom_field_entries: tuple[CustomFieldEntry, ...] = ()
    incident_role_assignments: tuple[RoleAssignment, ...] = ()
    slack_team_id: str | None = None
    source_message_channel_id: str | None = None
    source_message_timestamp: str | None = None

    @pydantic.field_validator("status")
    @classmethod
    def _status_of_v1(cls, status: str | None, info: pydantic.ValidationInfo) -> str | None:
        config = (info.context or {}).get("config")
        if isinstance(config, IncidentConfig) and config.api == "v1" and status and status not in _V1_STATUSES:
            raise ValueError(f"with api: v1 the status is one of {', '.join(sorted(_V1_STATUSES))}")
        return status


class IncidentConfig(base.Config):
    """One account for incidents.

    ``severities`` maps the ladder to names or ids of the account's severities. ``closed_status`` is the name or id of
    the status that a resolved incident gets; without it, the account's first status of category ``closed``.
    ``notify_incident_channel`` says whether Slack is told of edits.
    """

    kind: Literal["incident-io"] = "incident-io"
    base_url: base.Url = BASE_URL
    api: Literal["v1", "v2"] = "v1"
    severities: dict[ladder.Word, str] = pydantic.Field(default_factory=dict, validate_default=True)
    closed_status: str = ""
    notify_incident_channel: bool = True

    _fill_severities = pydantic.field_validator("severities")(ladder.filling(DEFAULT_SEVERITIES))

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        opening.check_defaults(IncidentOpening, self)
        return self


class PostOpening(base.Opening):
    """What a rule may set for one post of kind ``incident-io-status-page``; all of it is public.

    ``status`` is the post's first status and ``update_status`` that of later updates; without it they leave the
    status alone. Without ``update_message`` and ``resolve_message`` the account's are used. ``notify`` tells the
    page's subscribers.
    """

    title: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]
    message: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4096)]
    status: PostStatus = "investigating"
    components: Components = ()
    update_message: Message | None = None
    update_status: PostStatus | None = None
    resolve_message: Message | None = None
    notify: bool = True
    page: str | None = None


class PostConfig(base.Config):
    """One account for posts on status pages.

    ``page`` is the name or id of the page for rules that name none. ``component_statuses`` maps the ladder to the
    status of components that a rule only lists. An empty ``update_message`` posts no update but for components.
    """

    kind: Literal["incident-io-status-page"] = "incident-io-status-page"
    base_url: base.Url = BASE_URL
    page: str = ""
    component_statuses: dict[ladder.Word, components.Status] = pydantic.Field(
        default_factory=dict, validate_default=True
    )
    update_message: Message = "We are continuing to investigate this issue."
    resolve_message: Annotated[Message, pydantic.StringConstraints(min_length=1)] = "This incident has been resolved."

    _fill_statuses = pydantic.field_validator("component_statuses")(ladder.filling(components.DEFAULT_STATUSES))

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        opening.check_defaults(PostOpening, self)
        return self


def plain(parts: tuple[_Part, ...]) -> list[dict[str, Any]]:
    """Turn custom fields and roles into what the vendor is sent: only what was set."""
    return [part.model_dump(exclude_none=True) for part in parts]
