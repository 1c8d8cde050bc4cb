"""What every kind of source offers the door: authenticate a request, then turn its body into alerts."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import msgspec
import pydantic

from router.domain import alert_states, alerts
from router.domain import notices as noticing
from router.sources import authentication, calls, signatures, tokens, verifications
from router.yaml_source import quantities

QUERY = b":query"
"""Among the headers that a source gets: the query of the address, for sources that read it beside the body.

The name is none that a request could have.
"""

MAX_ALERTS = 20_000
"""Alerts that are read of one delivery by default."""

ALERTMANAGER_RETRY_WINDOW = 60 * 1_000_000
"""Alertmanager sends a group's messages one after the other; only a peer of its cluster repeats one, within seconds."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Unparsable(Exception):
    """An authentic body that is not what this kind of source sends.

    ``where`` names the place in the body (a JSON pointer or a path of the mapping), ``problem`` what is wrong there
    and what to do about it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where
        self.problem = problem


class Config(pydantic.BaseModel):
    """One configured source; a kind's own settings are added by its subclass.

    Credentials: ``bearer`` tokens and ``basic`` (``user:password``), several of each at once for rotation; a ``token``
    in another header or in the address; a ``signature`` of the body. All that is set has to be right, but of bearer
    and basic one is enough. Or ``auth: none``, said in so many words. ``allow_from``: the networks it may come from.

    ``resolve_after`` is for senders that never say that it is over: a firing alert that is not repeated for so long
    (microseconds; 0: never) has ended.

    ``retry_window`` is for how long the sender, or a proxy before the router, may repeat an old message. Within it
    after a resolution, a firing message with the same start is a late delivery and is ignored; after it, the alert
    fires again. None takes the kind's own window.
    """

    # A message about a wrong setting must not repeat what was set: it may be a secret.
    # Built when it is first used: of all kinds most never are.
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
    resolve_after: quantities.Duration = 0
    retry_window: quantities.Duration | None = None

    @pydantic.model_validator(mode="after")
    def _credentials_or_none(self) -> Self:
        self.verifier()
        return self

    def verifier(self) -> authentication.Verifier:
        """Build what checks the ``Authorization`` header; ``ValueError`` says what to set instead."""
        return authentication.verifier(
            self.bearer, self.basic, self.auth, otherwise=self.proves, schemes=type(self).schemes
        )

    @property
    def proves(self) -> bool:
        """Whether something else than the Authorization header says who may post."""
        return self.token is not None or self.signature is not None

    @property
    def in_query(self) -> bool:
        """Whether this sender puts what it has to say into the query of the address, and nothing into a body."""
        return False

    @property
    def reads_query(self) -> bool:
        """Whether the source reads parameters of the query beside the body."""
        return False

    @property
    def named_headers(self) -> frozenset[bytes]:
        """The headers that the settings name, in lower case: they are kept with a body, to read it again."""
        return frozenset()


class Rejected(msgspec.Struct, frozen=True):
    """Those alerts of a delivery that could not be read, while others beside them could.

    ``body`` is a delivery of them alone, so that it can be run again after a fix; ``where`` and ``problem`` are of the
    first one.
    """

    where: str
    problem: str
    body: bytes


class Parsed(msgspec.Struct, frozen=True):
    """What one body holds.

    ``rejected`` is what of it could not be read; a body of which nothing can be read is ``Unparsable``.
    ``truncated`` counts the alerts that the sender says it left out: their absence means nothing. ``about`` are the
    sender's own words on the delivery as a whole (its receiver, its reason), for logs and explanations. ``notices``
    say what was cut, replaced, or ignored in the alerts.
    """

    alerts: list[alerts.Alert]
    truncated: int = 0
    about: dict[str, str] = {}
    rejected: Rejected | None = None
    notices: tuple[noticing.Notice, ...] = ()


class Source(Protocol):
    """One configured source, ready to read bodies."""

    name: str

    def parse(self, body: bytes, headers: Mapping[bytes, bytes], now: int, max_alerts: int = MAX_ALERTS) -> Parsed:
        """Turn the body into alerts in the normal form; ``Unparsable`` where it is not what the kind sends.

        ``headers`` have lower-case names. ``now`` (microseconds) stands in for times that the sender leaves out. If the
        body holds more than ``max_alerts`` alerts, only the first ones are read, and a notice gives the number.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """One line of the registry.

    ``make`` builds a source from its name and its configuration. ``unparsable_status`` is what a sender is answered
    whose body was kept in the quarantine: 202 where the sender would drop, disable or loop at a 4xx, else 422.
    ``answer`` makes the body of a success where the sender's clients look into it, from what was parsed and the ID of
    the delivery; None is the router's own.
    ``typed``: what the parser does not know it never builds, so bodies need not be bounded in depth. ``delivery_id``
    reads from the headers and the body what the sender calls the delivery each time it sends it. ``path`` is what its
    clients put behind the address that they are given. ``events``: CloudEvents are taken, whose senders may ask first.
    ``reply``: the kind serves a vendor's API below its address. It gets the source's configuration and the call, and
    returns the response to a call that delivers nothing, or None for a delivery; ``calls.UnknownCall`` is a 404.
    ``retry_window`` is for how long (microseconds) its senders repeat a message that they have sent already.
    ``verification`` gets the source's configuration, and makes what verifies its deliveries; None if nothing has to.
    """

    name: str
    config: type[Config]
    make: Callable[[str, Any], Source]
    summary: str
    unparsable_status: Literal[202, 422] = 422
    answer: Callable[[Parsed, str], Mapping[str, Any]] | None = None
    typed: bool = False
    path: str = ""
    retry_window: int = alert_states.DEFAULT_RETRY_WINDOW
    events: bool = False
    delivery_id: Callable[[Mapping[bytes, bytes], bytes], str] | None = None
    reply: Callable[[Any, calls.Call], calls.Reply | None] | None = None
    verification: Callable[[Any, verifications.Fetch], verifications.Verification | None] | None = None
