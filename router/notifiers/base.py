"""What every notifier offers the worker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pydantic

from router.domain import events
from router.domain.times import Timestamp
from router.notifiers import quiet_settings
from router.outbound import call_policy

Clock = Callable[[], Timestamp]
"""Returns the time in microseconds since the Unix epoch."""


def url(text: str) -> str:
    """Return an http or https URL as it is written; ``ValueError`` for anything else."""
    try:
        pydantic.TypeAdapter(pydantic.AnyHttpUrl).validate_python(text)
    except pydantic.ValidationError:
        # Pydantic's own message repeats the URL, which may hold a token.
        raise ValueError("expected an http or https URL") from None
    return text


class Config(pydantic.BaseModel):
    """Settings that all kinds share. Each kind adds its own settings in a subclass.

    ``per_minute`` is the receiver's rate limit. The router sends at most four fifths of it. Events are held during the
    ``quiet_hours``.
    """

    # An error must not repeat the input: it may hold a secret.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    timeout_seconds: float = pydantic.Field(default=5.0, gt=0, le=30)
    per_minute: int = pydantic.Field(default=600, ge=10)
    quiet_hours: quiet_settings.QuietHoursConfig | None = None


class Batch(NamedTuple):
    """Events of one subject to deliver, in order, and the notifier's stored state of the subject."""

    events: Sequence[events.Recorded]
    state: Mapping[str, str]


class Delivered(NamedTuple):
    """The result of a delivery: the sequence number of the last event, and the notifier's new state of the subject."""

    sequence: int
    state: Mapping[str, str]


class Notifier(Protocol):
    """One configured notifier."""

    async def deliver(self, batch: Batch) -> Delivered:
        """Deliver one or more events from the start of the batch; one of ``outbound.errors`` if none was delivered.

        An event may be delivered again after a failure or a crash, so its message carries the event's ID.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class NotifierConnection(NamedTuple):
    """The shared dependencies of a notifier.

    ``installation`` distinguishes installations of the router. ``console`` is the console's URL, empty if unknown.
    ``quota`` limits calls to the receiver. ``has_slack_app`` is true if the router handles clicks in Slack.
    """

    clock: Clock
    installation: str = ""
    console: str = ""
    quota: call_policy.Quota | None = None
    has_slack_app: bool = False


@dataclass(frozen=True)
class Kind:
    """One line of the registry: all that the rest of the program knows of a kind of notifier.

    ``make`` builds a notifier from its name, its configuration, and its connection.
    """

    name: str
    config: type[Config]
    make: Callable[[str, Any, NotifierConnection], Notifier]
    summary: str
