"""The interface of every kind of source: authenticate a request, then turn its body into alerts."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import msgspec
import pydantic

from router.domain import alert_states, alerts, times
from router.domain.notices import Notice
from router.domain.times import Duration, Timestamp
from router.sources import authentication, calls, signatures, tokens, verifications
from router.yaml_source import quantities

QUERY = b":query"
"""Among the headers that a source gets: the query of the address, for sources that read it beside the body.

The name is none that a request could have.
"""

MAX_ALERTS = 20_000
"""Alerts that are read of one delivery by default."""

ALERTMANAGER_RETRY_WINDOW = times.MINUTE
"""Alertmanager sends a group's messages one after the other; only a peer of its cluster repeats one, within seconds."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Unparsable(Exception):
    """An authentic body that isn't in the format of this kind of source.

    ``where`` names the place in the body (a JSON pointer or a path of the mapping). ``problem`` says what is wrong
    there and how to fix it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


class Config(pydantic.BaseModel):
    """One configured source; a kind's own settings are added by its subclass.

    Credentials: ``bearer`` tokens and ``basic`` (``user:password``), several of each for rotation; a ``token``
    in another header or in the address; a ``signature`` of the body. Every configured credential must match, but of
    bearer and basic one is enough. Or ``auth: none``, set explicitly. ``allow_from``: the networks it may come from.

    ``resolve_after`` is for senders without resolve notifications: a firing alert that is not repeated for this time
    (microseconds; 0: never) has ended.

    ``retry_window`` is for how long the sender, or a proxy before the router, may repeat an old message. Within it
    after a resolution, a firing message with the same start is a late delivery and is ignored; after it, the alert
    fires again. None takes the kind's own window.
    """

    # Messages about an invalid setting must not repeat its value, which may be a secret. The validator is built on
    # first use, because most kinds are never used.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    schemes: ClassVar[tuple[str, ...]] = ("Bearer",)
    """The authentication schemes under which a token of ``bearer`` is accepted."""

    kind: str
    bearer: tuple[pydantic.SecretStr, ...] = ()
    basic: tuple[pydantic.SecretStr, ...] = ()
    token: tokens.Config | None = None
    signature: signatures.Config | None = None
    auth: Literal["required", "none"] = "required"
    allow_from: tuple[Network, ...] = ()
    resolve_after: quantities.Duration = Duration(0)
    retry_window: quantities.Duration | None = None

    @pydantic.model_validator(mode="after")
    def _check_credentials(self) -> Self:
        # Building the verifier finds missing or contradictory credentials when the settings are loaded, not at a
        # request.
        self.verifier()
        return self

    def verifier(self) -> authentication.Verifier:
        """Build the verifier of the ``Authorization`` header. Raises ``ValueError`` if credentials are missing."""
        return authentication.verifier(
            self.bearer, self.basic, self.auth, otherwise=self.proves, schemes=type(self).schemes
        )

    @property
    def proves(self) -> bool:
        """Return whether requests are authenticated by something else than the ``Authorization`` header."""
        return self.token is not None or self.signature is not None

    @property
    def in_query(self) -> bool:
        """Return whether this sender puts its data into the query of the URL instead of a body."""
        return False

    @property
    def reads_query(self) -> bool:
        """Return whether the source reads parameters of the query in addition to the body."""
        return False

    @property
    def named_headers(self) -> frozenset[bytes]:
        """Return the headers that the settings name, in lower case. They are stored with the body, for replays."""
        return frozenset()


class Rejected(msgspec.Struct, frozen=True):
    """The unreadable alerts of a delivery that also has readable ones.

    ``body`` is a delivery of only these alerts, so that it can be replayed after a fix. ``where`` and ``problem`` are
    about the first of them.
    """

    where: str
    problem: str
    body: bytes


class Parsed(msgspec.Struct, frozen=True):
    """The content of one body.

    ``rejected`` are its unreadable alerts; a body without any readable alert is ``Unparsable``. ``truncated`` counts
    the alerts that the sender reports as left out: the absence of an alert then proves nothing. ``about`` is the
    sender's own description of the delivery as a whole (its receiver, its reason), for logs and explanations.
    ``notices`` say what was cut, replaced, or ignored in the alerts. ``is_verbatim``: each text of an alert consists of
    at most two texts of the body.
    """

    alerts: list[alerts.Alert]
    truncated: int = 0
    about: dict[str, str] = {}
    rejected: Rejected | None = None
    notices: tuple[Notice, ...] = ()
    is_verbatim: bool = False


class Source(Protocol):
    """A configured source, ready to read bodies."""

    name: str

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = MAX_ALERTS
    ) -> Parsed:
        """Turn the body into normalized alerts. Raises ``Unparsable`` if it isn't in the format of the kind.

        ``headers`` have lower-case names. ``now`` (microseconds) replaces times that the sender leaves out. If the body
        contains more than ``max_alerts`` alerts, only the first ones are read, and a notice gives the number of the
        others.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """One entry of the registry.

    ``make`` builds a source from its name and its configuration. ``unparsable_status`` is the response to a delivery
    whose body was quarantined: 202 if the sender would drop the alert, disable the webhook, or loop after a 4xx, else
    422. ``answer`` makes the body of a successful response if the sender's clients read it, from the parsed delivery
    and its ID; None stands for the router's own body. ``typed``: the parser builds only the fields that it declares, so
    the depth of bodies need not be limited. ``delivery_id`` reads the sender's ID of the delivery, which its retries
    keep, from the headers and the body. ``path`` is what the sender's clients append to the configured URL. ``events``:
    CloudEvents are accepted, whose senders may ask for permission first. ``reply``: the kind serves a vendor's API
    below its URL. It gets the source's configuration and the call, and returns the response to a call that delivers
    nothing, or None for a delivery; ``calls.UnknownCall`` becomes a 404. ``retry_window`` is how long (microseconds)
    the kind's senders may repeat a message. ``verification`` gets the source's configuration, and builds the
    verification of its deliveries; None if they need none.
    """

    name: str
    config: type[Config]
    make: Callable[[str, Any], Source]
    summary: str
    unparsable_status: Literal[202, 422] = 422
    answer: Callable[[Parsed, str], Mapping[str, Any]] | None = None
    typed: bool = False
    path: str = ""
    retry_window: Duration = alert_states.DEFAULT_RETRY_WINDOW
    events: bool = False
    delivery_id: Callable[[Mapping[bytes, bytes], bytes], str] | None = None
    reply: Callable[[Any, calls.Call], calls.Reply | None] | None = None
    verification: Callable[[Any, verifications.Fetch], verifications.Verification | None] | None = None
