"""The query parameters of the API: one model for each endpoint, so that a misspelled parameter is an error."""

import re
from typing import Annotated, Literal

import pydantic
import pydantic_core

from router.services import presenters, request_bodies


def _cursor(text: str) -> str:
    """Return the cursor of an incident list if it is valid."""
    if text:
        presenters.read_cursor(text)
    return text


_POSITION = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_LARGEST_POSITION = 2**64 - 1


def _stream_cursor(text: str) -> str:
    """Return the cursor of a stream's page if Redis accepts it: nothing comes before 0-0."""
    # Redis would refuse any other position with an error.
    match = _POSITION.fullmatch(text)
    if text and (match is None or not 0 < max(map(int, match.groups())) <= _LARGEST_POSITION):
        raise pydantic_core.PydanticCustomError("cursor", "is not a cursor of this list")
    return text


_Text = Annotated[str, pydantic.Field(max_length=500)]


class NoParams(pydantic.BaseModel):
    """No parameters."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)


class StreamPage(NoParams):
    """One page of a list in the order of writing. The cursor is the position of an entry."""

    cursor: Annotated[str, pydantic.Field(max_length=41), pydantic.AfterValidator(_stream_cursor)] = ""
    limit: int = pydantic.Field(default=50, ge=1, le=500)


class Incidents(NoParams):
    """The selected incidents. ``open`` includes every incident that isn't closed. ``text`` is searched in key, title,
    rule, and labels."""

    status: Literal["open", "pending", "closed", "all"] = "open"
    severity: Literal["", "info", "minor", "major", "critical"] = ""
    text: _Text = ""
    # The cursor contains an incident key, so it may be much longer than that of a stream.
    cursor: Annotated[str, pydantic.Field(max_length=8000), pydantic.AfterValidator(_cursor)] = ""
    limit: int = pydantic.Field(default=50, ge=1, le=500)


class Recordings(StreamPage):
    """One page of recorded deliveries: those that were processed since a moment, the oldest first."""

    # A time without a zone would be ambiguous between the caller and the router.
    since: pydantic.AwareDatetime | None = None


def _letter_cursor(text: str) -> str:
    """Return the cursor of a dead-letter list if it is valid."""
    if text:
        presenters.read_dead_letter_cursor(text)
    return text


class DeadLetters(NoParams):
    """One page of dead letters."""

    cursor: Annotated[str, pydantic.Field(max_length=1000), pydantic.AfterValidator(_letter_cursor)] = ""
    limit: int = pydantic.Field(default=50, ge=1, le=500)


class Review(NoParams):
    """Which review."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    destination: Annotated[str, pydantic.Field(min_length=1, max_length=200)]


class Silences(NoParams):
    """The selected silences; ``over`` includes expired ones."""

    over: bool = False


class WithReason(NoParams):
    """The reason for an action."""

    reason: request_bodies.Reason = ""


class Acknowledgement(WithReason):
    """The acknowledgement of an incident, by its key, its reference, or the beginning of either."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]


class Take(WithReason):
    """The take of a review."""

    incident: Annotated[str, pydantic.Field(min_length=1, max_length=4000)]
    destination: Annotated[str, pydantic.Field(max_length=200)]


class Key(NoParams):
    """Which incident."""

    key: Annotated[str, pydantic.Field(max_length=4000)] = ""


class Identity(NoParams):
    """Which delivery."""

    id: _Text = ""


class Playground(NoParams):
    """Which delivery the playground begins with."""

    delivery: _Text = ""
