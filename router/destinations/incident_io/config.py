"""incident.io settings of an account (``…Config``), and fields that a rule sets for an incident (``…Opening``)."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic

from router.destinations import base, components, rule_fields, severity_mapping
from router.domain import operations

BASE_URL = "https://api.incident.io"

Components = components.Outages  # A field named components would hide the module.
ComponentsFrom = components.From

V1Status = Literal["triage", "investigating", "fixing", "monitoring", "closed", "declined"]
PostStatus = Literal["investigating", "identified", "monitoring"]

# The severities of a new incident.io account.
DEFAULT_SEVERITIES: Mapping[severity_mapping.Word, str] = {
    "critical": "Critical",
    "major": "Major",
    "minor": "Minor",
    "info": "Minor",
}

_V1_STATUSES = frozenset(V1Status.__args__)  # type: ignore[attr-defined]

Message = Annotated[str, pydantic.StringConstraints(max_length=4096)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def _id(text: str) -> str:
    if not text or text.split() != [text]:
        raise ValueError("an ID of incident.io is one word, such as 01FCNDV6P870EA6S7TK1DSYDG0")
    return text


def _number(text: str) -> str:
    try:
        float(text)
    except ValueError as error:
        raise ValueError("not a number") from error
    return text


def _link(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("a link begins with https:// or http://")
    return text


def _time(text: str) -> str:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("not an RFC 3339 time, such as 2026-11-30T21:15:00Z") from error
    return text


def _instant(text: str) -> str:
    if dt.datetime.fromisoformat(_time(text)).tzinfo is None:
        raise ValueError("a time without a zone; write it as 2026-11-30T21:15:00Z")
    return text


def _email(text: str) -> str:
    name, _, domain = text.rpartition("@")
    if not name or not domain or text.split() != [text]:
        raise ValueError("not an email address")
    return text


Id = Annotated[str, pydantic.AfterValidator(_id)]
Instant = Annotated[str, pydantic.AfterValidator(_instant)]
_KINDS = ("value_catalog_entry_id", "value_link", "value_numeric", "value_option_id", "value_text", "value_timestamp")


class CustomFieldValue(_Part):
    """One value of a custom field; which key holds it depends on the field's type."""

    id: str | None = pydantic.Field(default=None, description="the ID of the value")
    value_catalog_entry_id: str | None = pydantic.Field(default=None, description="the ID of a catalog entry")
    value_link: Annotated[str, pydantic.AfterValidator(_link)] | None = pydantic.Field(
        default=None, description="a link"
    )
    value_numeric: Annotated[str, pydantic.AfterValidator(_number)] | None = pydantic.Field(
        default=None, description="a number, as text"
    )
    value_option_id: str | None = pydantic.Field(default=None, description="the ID of an option of the field")
    value_text: str | None = pydantic.Field(default=None, description="a text")
    value_timestamp: Annotated[str, pydantic.AfterValidator(_time)] | None = pydantic.Field(
        default=None, description="a time"
    )

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            kinds_text = " and ".join(kinds) if kinds else "none"
            raise ValueError(f"a value has exactly one kind ({', '.join(_KINDS)}); this one has {kinds_text}")
        return self


class CustomFieldEntry(_Part):
    """The values of one custom field."""

    custom_field_id: Id = pydantic.Field(description="the ID of the custom field")
    values: tuple[CustomFieldValue, ...] = pydantic.Field(description="its values")


class Assignee(_Part):
    """A person, identified by exactly one of the fields."""

    id: str | None = pydantic.Field(default=None, description="the person's ID at incident.io")
    email: Annotated[str, pydantic.AfterValidator(_email)] | None = pydantic.Field(
        default=None, description="the person's address"
    )
    slack_user_id: str | None = pydantic.Field(default=None, description="the person's ID in Slack")

    @pydantic.model_validator(mode="after")
    def _identifies_person(self) -> Self:
        # If a label is missing, the text is empty, and the assignment is omitted.
        if self.id is None and self.email is None and self.slack_user_id is None:
            raise ValueError("set one of id, email, and slack_user_id")
        return self


class RoleAssignment(_Part):
    """The assignment of an incident role."""

    incident_role_id: Id = pydantic.Field(description="the ID of the role")
    assignee: Assignee = pydantic.Field(description="the assigned person")


class Escalation(_Part):
    """Whom an incident pages: the responders of an escalation path, or single users."""

    path: str | None = pydantic.Field(default=None, description="name or ID of an escalation path")
    users: tuple[Id, ...] = pydantic.Field(default=(), description="the IDs of users")
    at_least: severity_mapping.Word = pydantic.Field(
        default="critical", description="the lowest severity at which the incident pages"
    )
    on_raise: bool = pydantic.Field(
        default=False,
        description="whether it pages again whenever its severity rises above that of the last page",
    )
    cancel: bool = pydantic.Field(default=True, description="whether its escalations are canceled when it resolves")

    @pydantic.model_validator(mode="after")
    def _pages_someone(self) -> Self:
        if bool(self.path) == bool(self.users):
            raise ValueError("either path or users is needed, but not both")
        return self


class IncidentOpening(base.Opening):
    """Fields that a rule can set for an incident of kind ``incident-io``.

    ``severity`` overrides the account's mapping. ``status`` is a status of API V1 or, with ``api: v2``, the name or ID
    of any incident status. V2 has no ``source_message_…``, so they are omitted there.
    """

    MAY_BE_EMPTY = frozenset({"summary"})

    name: base.Line = pydantic.Field(min_length=1, description="the incident's name")
    summary: str = pydantic.Field(
        default="", description="its summary; the router's reference is added as the last line"
    )
    severity: str | None = pydantic.Field(
        default=None, description="name or ID of a severity, instead of the mapped severity"
    )
    visibility: Literal["public", "private"] = pydantic.Field(
        default="public", description="within the organisation, public or private"
    )
    mode: Literal["real", "test"] = pydantic.Field(
        default="real", description="whether it is a real incident or a test"
    )
    incident_type: str | None = pydantic.Field(default=None, description="name or ID of an incident type")
    status: str | None = pydantic.Field(
        default=None, description="its first status; with api: v2 the name or ID of any incident status"
    )
    custom_field_entries: tuple[CustomFieldEntry, ...] = pydantic.Field(
        default=(), description="custom fields, in the format of the vendor's API"
    )
    incident_role_assignments: tuple[RoleAssignment, ...] = pydantic.Field(
        default=(), description="role assignments, in the format of the vendor's API"
    )
    incident_timestamps: dict[str, Instant] = pydantic.Field(
        default={}, description="a time for each incident timestamp, by its name or ID"
    )
    escalation: Escalation | None = pydantic.Field(
        default=None, description="the recipients of pages, and the lowest severity that pages"
    )
    slack_team_id: str | None = pydantic.Field(default=None, description="the Slack workspace, in an Enterprise Grid")
    source_message_channel_id: str | None = pydantic.Field(
        default=None, description="the channel of the Slack message from which the incident was declared; for api: v1"
    )
    source_message_timestamp: str | None = pydantic.Field(
        default=None, description="the Slack message from which the incident was declared; for api: v1"
    )

    @classmethod
    def without_empty(cls, fields: dict[str, Any]) -> tuple[dict[str, Any], list[operations.Omission]]:
        """Remove the texts, custom field entries, and roles that are empty because a label is missing."""
        filled_fields, omitted = super().without_empty(fields)
        for name, inner in (("custom_field_entries", "values"), ("incident_role_assignments", "assignee")):
            entries = filled_fields.get(name)
            if not isinstance(entries, list | tuple):
                continue
            filled_entries = [stripped for entry in entries if (stripped := _strip_entry(entry, inner)) is not None]
            if len(filled_entries) < len(entries):
                detail = f"{len(entries) - len(filled_entries)} omitted: empty, because a label is missing"
                omitted.append(operations.Omission(name, "left_out", detail))
            filled_fields[name] = filled_entries
        moments = filled_fields.get("incident_timestamps")
        if isinstance(moments, Mapping) and len(filled := _remove_blank(moments)) < len(moments):
            detail = f"{len(moments) - len(filled)} omitted: empty, because a label is missing"
            omitted.append(operations.Omission("incident_timestamps", "left_out", detail))
            filled_fields["incident_timestamps"] = filled
        return filled_fields, omitted

    @pydantic.field_validator("status")
    @classmethod
    def _status_of_v1(cls, status: str | None, info: pydantic.ValidationInfo) -> str | None:
        config = (info.context or {}).get("config")
        if isinstance(config, IncidentConfig) and config.api != "v2" and status and status not in _V1_STATUSES:
            raise ValueError(f"with api: {config.api} the status is one of {', '.join(sorted(_V1_STATUSES))}")
        return status


class IncidentConfig(base.Config):
    """An account for incidents.

    ``severities`` maps severities to names or IDs of the account's severities. ``closed_status`` is the name or ID of
    the status of resolved incidents; the default is the account's first status of category ``closed``. If
    ``notify_incident_channel`` is true, edits are posted to the incident's Slack channel. ``api`` is the API version
    that creates incidents; ``auto`` is v1 while the vendor serves it, and v2 after its removal.
    """

    kind: Literal["incident-io"] = "incident-io"
    base_url: base.Url = BASE_URL
    api: Literal["auto", "v1", "v2"] = "auto"
    severities: dict[severity_mapping.Word, str] = pydantic.Field(default_factory=dict, validate_default=True)
    closed_status: str = ""
    notify_incident_channel: bool = True

    _fill_severities = pydantic.field_validator("severities")(severity_mapping.fill_defaults(DEFAULT_SEVERITIES))

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        rule_fields.check_defaults(IncidentOpening, self)
        return self


class PostOpening(base.Opening):
    """Fields that a rule can set for a post of kind ``incident-io-status-page``. All of them are public.

    ``status`` is the post's first status and ``update_status`` the status of later updates; without it they keep the
    status. ``update_message`` and ``resolve_message`` default to the account's. ``notify`` notifies the page's
    subscribers.
    """

    MAY_BE_EMPTY = frozenset({"update_message"})

    title: base.Line = pydantic.Field(min_length=1, max_length=200, description="the post's title")
    message: str = pydantic.Field(min_length=1, max_length=4096, description="the first text, in Markdown")
    status: PostStatus = pydantic.Field(default="investigating", description="the first status")
    components: Components = pydantic.Field(
        default=(), description="a status for each component, or a list of components whose status follows the severity"
    )
    components_from: ComponentsFrom = pydantic.Field(
        default={},
        description="the component that each firing alert affects: maps the text of a field to a name or ID",
    )
    update_message: Message | None = pydantic.Field(
        default=None, description="the text of updates; the account's if absent"
    )
    update_status: PostStatus | None = pydantic.Field(
        default=None, description="the status that updates set; unchanged if absent"
    )
    resolve_message: Message | None = pydantic.Field(
        default=None, description="the text of the resolution; the account's if absent"
    )
    notify: bool = pydantic.Field(default=True, description="whether subscribers are notified")
    page: str | None = pydantic.Field(default=None, description="name or ID of the page; the account's if absent")


class PostConfig(base.Config):
    """An account for posts on status pages.

    ``page`` is the name or ID of the page for rules that name none. ``component_statuses`` maps severities to the
    statuses of components that a rule only lists. If ``update_message`` is empty, only component changes are posted.
    ``retract_message`` is the resolution of a post that an operator retracts.
    """

    kind: Literal["incident-io-status-page"] = "incident-io-status-page"
    base_url: base.Url = BASE_URL
    page: str = ""
    component_statuses: dict[severity_mapping.Word, components.Outage] = pydantic.Field(
        default_factory=dict, validate_default=True
    )
    update_message: Message = "We are continuing to investigate this issue."
    resolve_message: Annotated[Message, pydantic.StringConstraints(min_length=1)] = "This incident has been resolved."
    retract_message: Annotated[Message, pydantic.StringConstraints(min_length=1)] = (
        "This incident was posted in error. Our services were not affected."
    )

    _fill_statuses = pydantic.field_validator("component_statuses")(
        severity_mapping.fill_defaults(components.DEFAULT_STATUSES)
    )

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        rule_fields.check_defaults(PostOpening, self)
        return self


def _strip_entry(entry: Any, inner: str) -> Any | None:
    """Return an entry without empty texts; None if it has no value left, or if its ID is empty.

    An entry with an empty list of values in the rule clears the custom field, and is kept.
    """
    if not isinstance(entry, Mapping):
        return entry
    inner_values = entry.get(inner)
    if any(base.is_blank(value) for value in entry.values()):
        return None
    if isinstance(inner_values, Mapping):
        full: Any = _remove_blank(inner_values)
        return {**entry, inner: full} if full else None
    if isinstance(inner_values, list | tuple) and inner_values:
        full = [filled for value in inner_values if (filled := _remove_blank(value))]
        return {**entry, inner: full} if full else None
    return entry


def _remove_blank(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    return {key: value for key, value in part.items() if not base.is_blank(value)}


def to_builtins(parts: tuple[_Part, ...]) -> list[dict[str, Any]]:
    """Convert custom fields and roles to the vendor's format, without unset members."""
    return [part.model_dump(exclude_none=True) for part in parts]
