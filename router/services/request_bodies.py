"""The models of request bodies, with a length limit for every text."""

from typing import Annotated, Any, Literal

import pydantic
import pydantic_core

from router.domain import visible, weekly
from router.services import models
from router.worker import review_takes

_Short = Annotated[str, pydantic.Field(max_length=200)]
_Long = Annotated[str, pydantic.Field(max_length=4000)]


def _refuse_blank(text: str) -> str:
    """Return the text. Raise a validation error if it has no visible character."""
    # Invisible characters are removed from published texts, so a text of nothing else would be posted empty.
    if not visible.visible(text).strip():
        raise pydantic_core.PydanticCustomError("blank", "must not be blank")
    return text


def _refuse_blank_unless_empty(text: str) -> str:
    return _refuse_blank(text) if text else text


Required = Annotated[str, pydantic.Field(min_length=1, max_length=4000), pydantic.AfterValidator(_refuse_blank)]
"""A required text that must not be blank."""
Reason = Annotated[str, pydantic.Field(max_length=4000), pydantic.AfterValidator(_refuse_blank_unless_empty)]
"""An optional text, which may be empty but not blank."""


class Decide(models.Model):
    """A decision on a review. ``fields`` override the fields of the rule."""

    incident: _Long
    destination: _Short
    seen: _Short = pydantic.Field(description="The digest of the reviewed version, unless If-Match has it.", default="")
    decision: Literal["approve", "dismiss"]
    reason: Reason = ""
    fields: dict[str, Any] = pydantic.Field(default={})


class Correct(models.Model):
    """The text, and optionally the status, that replace those of an update that the router posted."""

    incident: _Long
    destination: _Short
    update: _Short = pydantic.Field(description="The update's `id` in the incident's `posted`.")
    seen: _Short = pydantic.Field(description="The update's `seen` in the incident's `posted`.")
    body: Annotated[str, pydantic.Field(min_length=1, max_length=10_000), pydantic.AfterValidator(_refuse_blank)]
    status: Literal["", "INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED"] = pydantic.Field(
        default="",
        description="Unchanged if empty. A correction can't change the status to or from `RESOLVED`.",
    )
    reason: Reason = ""


class Acknowledge(models.Model):
    """An open incident to acknowledge, or whose acknowledgement to withdraw."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    reason: Reason = ""


class TakeReview(models.Model):
    """A pending review to take, and the duration."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    destination: _Short
    seconds: int = pydantic.Field(
        default=review_takes.DEFAULT_SECONDS,
        ge=60,
        le=review_takes.MAX_SECONDS,
        description="The duration in seconds. Reminders and the escalation pause for this time.",
    )
    reason: Reason = ""


class ReleaseReview(models.Model):
    """A pending review to release."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    destination: _Short
    reason: Reason = ""


class Explain(models.Model):
    """A payload to explain: a payload of a source, or an archived delivery."""

    source: _Short = ""
    payload: Annotated[str, pydantic.Field(max_length=1024 * 1024)] = ""
    delivery: _Short = ""


class Retract(models.Model):
    """The retraction of a false post."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    destination: _Short = pydantic.Field(default="", description="A public page; all pages of the incident if empty.")
    reason: Required
    message: Reason = pydantic.Field(
        default="",
        description="The text of the resolution if the page's posts can't be removed; the destination's text if empty.",
    )


def _window(text: str) -> str:
    return str(weekly.parse(text))


_Window = Annotated[str, pydantic.Field(max_length=200), pydantic.AfterValidator(_window)]


class AddSilence(models.Model):
    """A new silence. All ``matchers``, such as ``service="checkout"``, must match."""

    matchers: Annotated[list[_Long], pydantic.Field(min_length=1, max_length=32)]
    comment: Required
    seconds: int = pydantic.Field(default=3600, ge=1, le=366 * 86400)
    during: Annotated[list[_Window], pydantic.Field(max_length=16)] = pydantic.Field(
        default=[],
        description="Weekly windows of the silence, such as mon-fri 22:00-06:00 Europe/Zurich; always if absent.",
    )
    begins_in_seconds: int = pydantic.Field(default=0, ge=0, le=366 * 86400)


class ReasonBody(models.Model):
    """The reason for an action."""

    reason: Reason = ""


class Redrive(models.Model):
    """A filter of the dead letters to retry. An empty field matches all."""

    destination: _Short = pydantic.Field(default="", description="The destination.")
    operation: _Short = pydantic.Field(default="", description="The operation, such as open, update, or resolve.")
    problem: _Long = pydantic.Field(default="", description="A text that the problem contains.")
    reason: Reason = ""

    @property
    def subject(self) -> str:
        """The filters in one line, for the audit log."""
        filters = self.model_dump(exclude={"reason"})
        return " ".join(f"{name}={value}" for name, value in filters.items() if value) or "all dead letters"


class NewToken(models.Model):
    """A new token."""

    name: Annotated[str, pydantic.Field(min_length=1, max_length=100), pydantic.AfterValidator(_refuse_blank)]
    role: Literal["viewer", "responder", "admin"]
    seconds: int = pydantic.Field(
        default=90 * 86400, ge=0, le=3660 * 86400, description="Seconds until the token expires; 0 for never."
    )
    reason: Reason = ""
