"""What every destination offers the worker: the last stage on the way of an alert."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

import pydantic

from router.domain import operations, texts
from router.outbound import client

NOTHING: Mapping[str, Any] = {}
"""No fields."""

Clock = Callable[[], int]
"""Gives the time in microseconds since the Unix epoch."""


def _address(text: str) -> str:
    pydantic.TypeAdapter(pydantic.AnyHttpUrl).validate_python(text)
    return text


Url = Annotated[str, pydantic.AfterValidator(_address)]
"""Where a vendor's API is: an http or https address, kept as it was written."""


def _line(value: Any) -> Any:
    return texts.title(value) if isinstance(value, str) else value


Line = Annotated[str, pydantic.BeforeValidator(_line)]
"""A title: one line without blanks at its ends, as vendors keep it whatever a label has brought into it."""


def is_blank(value: object) -> bool:
    """Whether a value is a text with nothing in it but blanks."""
    return isinstance(value, str) and not value.strip()


class Opening(pydantic.BaseModel):
    """What a rule may set for one incident at a destination; a kind's own fields are added by its subclass."""

    # Built when it is first used: of all kinds most never are.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)

    MAY_BE_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """The optional texts that mean something if they are empty."""

    @classmethod
    def without_empty(cls, fields: dict[str, Any]) -> tuple[dict[str, Any], list[operations.Omission]]:
        """Take out the optional texts that a missing label has left empty; say what that was."""
        empty = [
            name
            for name, field in cls.model_fields.items()
            if not field.is_required() and name not in cls.MAY_BE_EMPTY and is_blank(fields.get(name))
        ]
        kept = {name: value for name, value in fields.items() if name not in empty}
        detail = "left out: empty, since a label is missing"
        return kept, [operations.Omission(name, "left_out", detail) for name in empty]


class Webhook(pydantic.BaseModel):
    """The vendor's outgoing webhook, which tells of changes at the destination.

    ``secrets`` are the signing secrets, several at once for rotation.
    """

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    secrets: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)


class Config(pydantic.BaseModel):
    """One configured account; a kind's own settings are added by its subclass.

    ``per_minute`` is how many calls the vendor allows the account; four fifths of them are made at the most.
    ``defaults`` are fields of the kind's ``Opening`` that hold where a rule says nothing. Sub-classes validate them
    against their ``Opening`` when the configuration is loaded. ``webhook`` lets the vendor's webhooks in.
    """

    # An error must not repeat what was given: a whole configuration has the key in it.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    api_key: pydantic.SecretStr
    base_url: Url
    timeout_seconds: float = pydantic.Field(default=10.0, gt=0, le=60)
    # A full quota has to suffice for an operation of several calls. Otherwise it gives up before its last call, starts
    # again a minute later, and never ends. Operations make up to five calls.
    per_minute: int = pydantic.Field(default=1200, ge=10)
    defaults: dict[str, Any] = pydantic.Field(default_factory=dict)
    webhook: Webhook | None = None


def page_of(config: Config) -> str:
    """The page that a destination posts on where a rule names none; empty if there is none."""
    return str(config.defaults.get("page") or getattr(config, "page", ""))


class Channel(NamedTuple):
    """A way in which a vendor itself reports incidents: its name, and the kind of destination it reports to.

    ``page`` has the names and IDs of the page if the vendor publishes its incidents on a page of its own.
    """

    name: str
    kind: str
    page: tuple[str, ...] = ()


class Destination(Protocol):
    """One account at a vendor, of one kind.

    Every method either answers or raises one of ``outbound.errors``: ``Temporary`` (surely not done; try again),
    ``Unanswered`` (nobody knows whether it was done), ``Permanent`` (it never will be). ``repeatable_open`` tells
    that an unanswered open may simply be repeated under the same key; where it is false ``find`` is asked first.
    """

    repeatable_open: bool

    async def adopt(self, operation: operations.Operation) -> operations.VendorState | None:
        """Find what the vendor made by itself for ``operation.linked_id``, and change nothing; None if nothing."""
        ...

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Look whether an unanswered open happened after all; the oldest of several stays, the rest is ended.

        Of a vendor with idempotency keys this is asked where it doesn't accept the key (any more).
        """
        ...

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:
        """End everything that carries the operation's reference, except ``operation.vendor_id``; the IDs of it.

        Only a vendor without idempotency keys can have created duplicates.
        """
        ...

    async def list_open(self, others: Collection[str] = (), /) -> list[operations.OpenItem]:
        """Read everything there that is open, or a draft, and may be the router's.

        A kind that ``has_references`` leaves out what carries none. ``others`` are the pages that other destinations of
        the account are configured for: their posts are left out. Asked once after the data in Redis was lost.
        """
        ...

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:
        """Return whether an item without a reference reads as the one that this operation would open."""
        ...

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create it, visible at once where the destination knows no drafts.

        A kind that ``reopens`` opens ``operation.vendor_id`` again, where that is given and the vendor lets it.
        """
        ...

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Bring what is there to the content (severity, components, texts)."""
        ...

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Publish a draft."""
        ...

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """End it at the vendor."""
        ...

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Throw an unpublished draft away."""
        ...

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Take down a post that turned out to be false; a page that can't do that resolves it and says so.

        Only public kinds are asked for this.
        """
        ...

    async def correct(self, operation: operations.Operation, /) -> operations.VendorState:
        """Replace the text of an update that the router has posted, as ``correction.of(operation.content)`` says.

        ``Permanent`` if the update says something else than the operator has seen. Kinds that ``corrects`` do so.
        """
        ...

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read what is there now, and whether a person has changed it; ``NotFound`` if the vendor has no such thing."""
        ...

    async def probe(self) -> None:
        """Read something else of the account: whether the vendor answers reads at all."""
        ...

    def touches(self, operation: operations.Operation) -> Mapping[str, str]:
        """How an operation's content affects components of the page, by name or id; nothing where there is no page."""
        ...

    async def check(self, fields: Mapping[str, Any] = NOTHING) -> list[str]:
        """Ask the vendor whether the configured names exist and fit together; every problem, in words for people.

        ``fields`` are what a rule sets over the defaults; names in them are looked up, too.
        """
        ...

    async def channels(self) -> list[Channel]:
        """Read how the vendor itself passes incidents on to kinds of destinations; empty for most vendors."""
        ...

    async def aclose(self) -> None:
        """Close the connections to the vendor."""
        ...


@dataclass(frozen=True)
class Kind:
    """One line of the registry: all that the rest of the program knows of a kind of destination.

    ``public`` kinds show customers what they are told. ``adopts`` tells that the vendor may draft by itself.
    ``connect`` makes the client for the account, from the destination's name, its configuration and a clock;
    ``make`` builds the destination from its name, its configuration and that client. ``reopens`` tells that what a call
    of ours has ended there can be opened again. ``status_words`` are the vendor's words for a component's status where
    they are others than ours. ``webhook_schemes`` name the ways in which the vendor signs its webhooks.
    ``takes_down``: a post can be taken off the page; else its retraction is a resolution.
    ``monitoring`` is the value of ``update_status`` for a post that is monitored before it is resolved; empty if the
    kind has no such status. ``retrospective``: what is over already can be published as such. ``has_references``: what
    is opened there carries its reference. ``corrects``: a posted update can be changed.
    """

    name: str
    config: type[Config]
    opening: type[Opening]
    public: bool
    adopts: bool
    connect: Callable[[str, Any, Clock], client.Client]
    make: Callable[[str, Any, client.Client], Destination]
    reopens: bool = False
    status_words: Mapping[str, str] = field(default_factory=dict)
    webhook_schemes: tuple[str, ...] = ()
    monitoring: str = ""
    retracts: bool = False
    retrospective: bool = False
    has_references: bool = True
    corrects: bool = False


Registry = Mapping[str, Kind]
