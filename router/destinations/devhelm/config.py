"""DevHelm settings of an account (``…Config``), and fields that a rule sets for an incident (``…Opening``)."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import pydantic

from router.destinations import base, components, rule_fields, severity_mapping

BASE_URL = "https://api.devhelm.io"

Components = components.Components  # A field of this name would hide the module.
ComponentsFrom = components.From

Severity = Literal["DOWN", "DEGRADED", "MAINTENANCE"]
Impact = Literal["NONE", "MINOR", "MAJOR", "CRITICAL"]
ActiveStatus = Literal["INVESTIGATING", "IDENTIFIED", "MONITORING"]

DEFAULT_SEVERITIES: Mapping[severity_mapping.Word, Severity] = {
    "critical": "DOWN",
    "major": "DOWN",
    "minor": "DEGRADED",
    "info": "DEGRADED",
}
DEFAULT_IMPACTS: Mapping[severity_mapping.Word, Impact] = {
    "critical": "CRITICAL",
    "major": "MAJOR",
    "minor": "MINOR",
    "info": "NONE",
}

_STATUSES: Mapping[severity_mapping.Word, components.Status] = dict(components.DEFAULT_STATUSES)

Text = Annotated[str, pydantic.StringConstraints(min_length=1)]
Address = Annotated[str, pydantic.StringConstraints(max_length=2048, pattern=r"^$|^https?://.*")]
Kept = Literal["title", "impact", "message", "components"]
Uuid = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class _Account(base.Config):
    """An account. ``org_id`` and ``workspace_id`` select one of several that the key can access."""

    base_url: base.Url = BASE_URL
    org_id: str = ""
    workspace_id: str = ""


class IncidentOpening(base.Opening):
    """Fields that a rule can set for an incident of kind ``devhelm``.

    ``severity`` overrides the account's mapping. ``update_status`` is the status that updates set; without it they keep
    the status. ``notify`` notifies subscribers of updates.
    """

    MAY_BE_EMPTY = frozenset({"body", "update_message", "resolve_message"})

    title: base.Line = pydantic.Field(
        min_length=1, description="the incident's title; the router's reference is added in front of it"
    )
    body: str | None = pydantic.Field(default=None, description="its description")
    severity: Severity | None = pydantic.Field(
        default=None, description="the vendor's severity, instead of the mapped severity"
    )
    monitor_id: Uuid | None = pydantic.Field(default=None, description="the ID of the incident's monitor")
    update_message: str | None = pydantic.Field(default=None, description="the text of updates, before the severity")
    update_status: Literal["WATCHING", "TRIGGERED", "CONFIRMED"] | None = pydantic.Field(
        default=None, description="the status that updates set; unchanged if absent"
    )
    resolve_message: str | None = pydantic.Field(
        default=None, description="the text of the resolution; the account's if absent"
    )
    notify: bool = pydantic.Field(default=False, description="whether subscribers are notified of updates")


class IncidentConfig(_Account):
    """An account for incidents. ``severities`` maps severities to the vendor's."""

    kind: Literal["devhelm"] = "devhelm"
    severities: dict[severity_mapping.Word, Severity] = pydantic.Field(default_factory=dict, validate_default=True)
    resolve_message: str = "Resolved: no alert is firing."

    _fill_severities = pydantic.field_validator("severities")(severity_mapping.fill_defaults(DEFAULT_SEVERITIES))

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        rule_fields.check_defaults(IncidentOpening, self)
        return self


class PostOpening(base.Opening):
    """Fields that a rule can set for a post of kind ``devhelm-status-page``. All of them are public.

    ``impact`` overrides the account's mapping. ``status`` is the post's first status and ``update_status`` that of
    later updates; without it they keep the status. ``update_message`` and ``resolve_message`` default to the account's.
    The postmortem is set after the post is resolved. ``notify`` notifies the page's subscribers. ``keep_draft`` names
    the fields to take from a draft that the page created.
    """

    MAY_BE_EMPTY = frozenset({"update_message", "postmortem_body", "postmortem_url"})

    title: base.Line = pydantic.Field(min_length=1, max_length=500, description="the post's title")
    message: Text = pydantic.Field(
        description="the first text, in Markdown; the router's reference is the last line, or the first of a long text"
    )
    status: ActiveStatus = pydantic.Field(default="INVESTIGATING", description="the first status")
    impact: Impact | None = pydantic.Field(
        default=None, description="the vendor's impact, instead of the mapped severity"
    )
    components: Components = pydantic.Field(
        default=(), description="a status for each component, or a list of components whose status follows the severity"
    )
    components_from: ComponentsFrom = pydantic.Field(
        default={},
        description="the component that each firing alert affects: maps the text of a field to a name or ID",
    )
    update_message: str | None = pydantic.Field(
        default=None, description="the text of updates; the account's if absent"
    )
    update_status: ActiveStatus | None = pydantic.Field(
        default=None, description="the status that updates set; unchanged if absent"
    )
    resolve_message: Text | None = pydantic.Field(
        default=None, description="the text of the resolution; the account's if absent"
    )
    postmortem_body: str | None = pydantic.Field(
        default=None, description="set after the post is resolved; an empty text clears the current value"
    )
    postmortem_url: Address | None = pydantic.Field(
        default=None, description="set after the post is resolved; an empty text clears the current value"
    )
    notify: bool = pydantic.Field(default=True, description="whether subscribers are notified")
    page: str | None = pydantic.Field(
        default=None, description="the name, slug, or ID of the page; the account's if absent"
    )
    keep_draft: tuple[Kept, ...] = pydantic.Field(
        default=(), description="the fields to take from a draft that the page created, instead of the rule's"
    )


class PostConfig(_Account):
    """An account for posts on status pages.

    ``page`` is the name, slug, or ID of the page for rules that name none. ``follows`` is the name of a destination of
    kind ``devhelm``: this page may create drafts from its incidents. ``impacts`` and ``component_statuses`` map
    severities. If ``update_message`` is empty, updates have no text.
    """

    kind: Literal["devhelm-status-page"] = "devhelm-status-page"
    page: str = ""
    follows: str = ""
    impacts: dict[severity_mapping.Word, Impact] = pydantic.Field(default_factory=dict, validate_default=True)
    component_statuses: dict[severity_mapping.Word, components.Status] = pydantic.Field(
        default_factory=dict, validate_default=True
    )
    update_message: str = "We are continuing to investigate this issue."
    resolve_message: Text = "This incident has been resolved."

    _fill_impacts = pydantic.field_validator("impacts")(severity_mapping.fill_defaults(DEFAULT_IMPACTS))
    _fill_statuses = pydantic.field_validator("component_statuses")(severity_mapping.fill_defaults(_STATUSES))

    @pydantic.model_validator(mode="after")
    def _defaults_fit(self) -> Self:
        rule_fields.check_defaults(PostOpening, self)
        if "keep_draft" in self.defaults:
            raise ValueError("defaults.keep_draft: a rule decides about drafts; set it under `defaults` in a rule file")
        return self
