"""Settings for the kind ``incident-io-alert``: an HTTP alert source, and the fields of one alert."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic

from router.destinations import base, rule_fields
from router.destinations.incident_io import config
from router.domain import operations

# The vendor documents no limits. These keep an alert readable on a phone, and far below any request limit.
MAX_TITLE_LENGTH = 500
MAX_DESCRIPTION_LENGTH = 10_000
MAX_VALUE_LENGTH = 1_000

Value = Annotated[str, pydantic.StringConstraints(max_length=MAX_VALUE_LENGTH)]


def _link(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("a link begins with https:// or http://")
    return text


class AlertOpening(base.Opening):
    """The fields that a rule may set for an alert. Customers never see them.

    The router adds ``severity`` and ``reference`` to ``metadata``, unless the rule sets them.
    """

    MAY_BE_EMPTY = frozenset({"description"})

    title: base.Line = pydantic.Field(min_length=1, max_length=MAX_TITLE_LENGTH, description="the title of the alert")
    description: str = pydantic.Field(
        default="",
        max_length=MAX_DESCRIPTION_LENGTH,
        description="the text in Markdown; the router appends its reference as the last line",
    )
    source_url: Annotated[str, pydantic.AfterValidator(_link)] | None = pydantic.Field(
        default=None, max_length=2048, description="a link to the cause, such as a dashboard"
    )
    metadata: dict[str, Value | tuple[Value, ...]] = pydantic.Field(
        default={}, description="values that alert routes match, each a text or a list of texts"
    )

    @classmethod
    def without_empty(cls, fields: dict[str, Any]) -> tuple[dict[str, Any], list[operations.Omission]]:
        """Remove texts that are empty because a label is missing, also from ``metadata``. Return the omissions, too."""
        filled_fields, omitted = super().without_empty(fields)
        metadata = filled_fields.get("metadata")
        if isinstance(metadata, Mapping) and len(filled := _remove_blank(metadata)) < len(metadata):
            detail = f"{len(metadata) - len(filled)} omitted: empty, because a label is missing"
            omitted.append(operations.Omission("metadata", "left_out", detail))
            filled_fields["metadata"] = filled
        return filled_fields, omitted


def _remove_blank(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if not base.is_blank(value)}


class AlertConfig(base.Config):
    """One HTTP alert source.

    ``api_key`` is the source's token, not an API key of the account. It can only send events to this source.
    ``account_key`` is an API key of the account with permission to view data. With it, the router reads whether an
    alert fires, finds its alerts after data loss, and attaches them to incidents. ``attach_to`` names the destination
    of kind ``incident-io`` to whose incident an alert is attached.
    """

    kind: Literal["incident-io-alert"] = "incident-io-alert"
    base_url: base.Url = config.BASE_URL
    per_minute: int = pydantic.Field(default=120, ge=10)
    alert_source: config.Id
    account_key: pydantic.SecretStr | None = None
    attach_to: str = ""

    @pydantic.model_validator(mode="after")
    def _attaches_with_key(self) -> Self:
        if self.attach_to and self.account_key is None:
            raise ValueError("attach_to needs account_key: an alert is attached through the account's API")
        rule_fields.check_defaults(AlertOpening, self)
        return self
