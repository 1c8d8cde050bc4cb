"""The interface between the worker and every destination."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, Self

import pydantic

from router.domain import operations, texts
from router.domain.times import Timestamp
from router.outbound import call_policy, client
from router.yaml_source import quantities

NOTHING: Mapping[str, Any] = {}
"""No fields."""

Clock = Callable[[], Timestamp]
"""Gives the time in microseconds since the Unix epoch."""


def _address(text: str) -> str:
    pydantic.TypeAdapter(pydantic.AnyHttpUrl).validate_python(text)
    return text


Url = Annotated[str, pydantic.AfterValidator(_address)]
"""The URL of a vendor's API: http or https, stored as written."""


def _line(value: Any) -> Any:
    return texts.title(value) if isinstance(value, str) else value


Line = Annotated[str, pydantic.BeforeValidator(_line)]
"""A title: one line without surrounding white space, which is how vendors store titles."""


def is_blank(value: object) -> bool:
    """Return whether a value is a text of only white space."""
    return isinstance(value, str) and not value.strip()


class Opening(pydantic.BaseModel):
    """Fields that a rule can set for an incident at a destination. Each kind adds its own in a subclass."""

    # Built on first use, because most kinds are never used.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)

    MAY_BE_EMPTY: ClassVar[frozenset[str]] = frozenset()
    """The names of optional texts for which an empty text has a meaning."""

    @classmethod
    def without_empty(cls, fields: dict[str, Any]) -> tuple[dict[str, Any], list[operations.Omission]]:
        """Remove optional texts that a missing label left empty. Return the rest and the removed names."""
        empty = [
            name
            for name, field in cls.model_fields.items()
            if not field.is_required() and name not in cls.MAY_BE_EMPTY and is_blank(fields.get(name))
        ]
        filled = {name: value for name, value in fields.items() if name not in empty}
        detail = "omitted: empty, because a label is missing"
        return filled, [operations.Omission(name, "left_out", detail) for name in empty]


TITLE_FIELDS = ("name", "title")
"""The names that kinds have for the title of an incident."""
TEXT_FIELDS = ("summary", "body", "description", "message")
"""The names that kinds have for its text."""


def map_title_and_text(opening: type[Opening], title: str, text: str) -> dict[str, str]:
    """Return the fields of an opening for a title and a text, by the names that this kind has for them."""
    fields = {}
    for names, value in ((TITLE_FIELDS, title), (TEXT_FIELDS, text)):
        name = next((name for name in names if name in opening.model_fields), None)
        if name is not None:
            fields[name] = value
    return fields


class VendorWebhook(pydantic.BaseModel):
    """The vendor's outgoing webhook, which reports changes at the destination.

    ``secrets`` are the signing secrets; there can be several during a rotation.
    """

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    secrets: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)


class Failover(pydantic.BaseModel):
    """What announces an incident that can't be opened at a destination for ``after`` (microseconds).

    ``notify`` are notifiers, and ``publish`` other destinations, at which the incident is opened instead.
    """

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)

    after: quantities.Duration = quantities.duration("5m")
    notify: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _announces(self) -> Self:
        if not self.notify and not self.publish:
            raise ValueError("name a notifier in notify, or a destination in publish")
        return self


class Config(pydantic.BaseModel):
    """A configured account. Each kind adds its own settings in a subclass.

    ``per_minute`` is the vendor's call limit for the account; the router uses at most four fifths of it. ``defaults``
    are fields of the kind's ``Opening`` that apply where a rule sets nothing. Subclasses validate them when the
    configuration is loaded. ``webhook`` accepts the vendor's webhooks. ``failover`` announces what can't be opened.
    """

    # Errors must not repeat the input, because a configuration contains the key.
    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    api_key: pydantic.SecretStr
    base_url: Url
    timeout_seconds: float = pydantic.Field(default=10.0, gt=0, le=60)
    # A full quota must be enough for one operation, which makes up to five calls. Otherwise the operation gives up
    # before its last call, starts again a minute later, and never completes.
    per_minute: int = pydantic.Field(default=1200, ge=10)
    defaults: dict[str, Any] = pydantic.Field(default_factory=dict)
    webhook: VendorWebhook | None = None
    failover: Failover | None = None


def page_of(config: Config) -> str:
    """Return the page that a destination posts to by default; empty if there is none."""
    return str(config.defaults.get("page") or getattr(config, "page", ""))


def linked_destination(config: Config) -> str:
    """Return the destination whose incident an item is linked to: a page's draft, or an alert; empty if there is none.

    Alerts name it ``attach_to``.
    """
    return str(getattr(config, "follows", "") or getattr(config, "attach_to", ""))


class Channel(NamedTuple):
    """A channel through which the vendor reports incidents: its name, and the kind of destination it reports to.

    ``page`` holds the names and IDs of the page if the vendor publishes its incidents on a page of its own.
    """

    name: str
    kind: str
    page: tuple[str, ...] = ()


class Destination(Protocol):
    """An account at a vendor, of one kind.

    Every method returns or raises one of ``outbound.errors``: ``Temporary`` (not done; retry), ``Unanswered`` (outcome
    unknown), or ``Permanent`` (refused). If ``repeatable_open`` is true, an unanswered open can be repeated under the
    same key; otherwise ``find`` is called first.
    """

    repeatable_open: bool

    def within(self, budget: call_policy.CallBudget) -> "Destination":
        """Return this destination with a budget for its calls. Both share connections and caches."""
        ...

    async def adopt(self, operation: operations.Operation) -> operations.VendorState | None:
        """Find what the vendor created automatically for ``operation.linked_id``. Return None if there is nothing."""
        ...

    async def find(self, operation: operations.Operation) -> operations.VendorState | None:
        """Find out whether an unanswered open happened. Of several, keep the oldest and end the others.

        For a vendor with idempotency keys this is called only when it no longer accepts the key.
        """
        ...

    async def end_duplicates(self, operation: operations.Operation) -> tuple[str, ...]:
        """End everything that carries the operation's reference, except ``operation.vendor_id``. Return the ended IDs.

        Only a vendor without idempotency keys can have created duplicates.
        """
        ...

    async def list_open(self, others: Collection[str] = (), /) -> list[operations.OpenItem]:
        """List all open items and drafts that may be the router's.

        A kind that ``has_references`` leaves out items without a reference. ``others`` are the pages of the account's
        other destinations; their posts are omitted. Called once after the data in Redis was lost.
        """
        ...

    def recognizes(self, item: operations.OpenItem, operation: operations.Operation) -> bool:
        """Return whether an item without a reference looks like the one that this operation would open."""
        ...

    async def open(self, operation: operations.Operation) -> operations.VendorState:
        """Create it. It is visible immediately if the destination has no drafts.

        A kind that ``reopens`` opens ``operation.vendor_id`` again if it is given and the vendor allows it.
        """
        ...

    async def update(self, operation: operations.Operation) -> operations.VendorState:
        """Update severity, components, and texts to the content."""
        ...

    async def publish(self, operation: operations.Operation) -> operations.VendorState:
        """Publish a draft."""
        ...

    async def resolve(self, operation: operations.Operation) -> operations.VendorState:
        """Resolve it at the vendor."""
        ...

    async def dismiss(self, operation: operations.Operation) -> operations.VendorState:
        """Delete an unpublished draft."""
        ...

    async def retract(self, operation: operations.Operation) -> operations.VendorState:
        """Take down a false post. A page that can't do that resolves the post and says so.

        Called for public kinds only.
        """
        ...

    async def correct(self, operation: operations.Operation, /) -> operations.VendorState:
        """Replace the text of an update that the router has posted. ``corrections.from_content`` reads the new text.

        ``Permanent`` if the update says something else than the operator has seen. Kinds that ``corrects`` do so.
        """
        ...

    async def observe(self, operation: operations.Operation) -> operations.VendorState:
        """Read the current state, and whether a person has changed it. Raises ``NotFound`` if it doesn't exist."""
        ...

    async def probe(self) -> None:
        """Read something else of the account, to find out whether the vendor answers reads."""
        ...

    def touches(self, operation: operations.Operation) -> Mapping[str, str]:
        """Return the component statuses that the content sets on the page, by name or ID; empty if there is no page."""
        ...

    async def check(self, fields: Mapping[str, Any] = NOTHING) -> list[str]:
        """Check at the vendor that the configured names exist and fit together. Return every problem as text.

        ``fields`` are what a rule sets over the defaults. Names in them are checked as well.
        """
        ...

    async def channels(self) -> list[Channel]:
        """Return the channels through which the vendor reports incidents; empty for most vendors."""
        ...

    async def aclose(self) -> None:
        """Close the connections to the vendor."""
        ...


@dataclass(frozen=True)
class Kind:
    """An entry of the registry: everything that the program knows about a kind of destination.

    ``public`` kinds are visible to customers. ``adopts``: the vendor may create drafts automatically. ``connect``
    creates the client of the account from the destination's name, its configuration, and a clock; ``make`` creates the
    destination from its name, its configuration, and that client. ``reopens``: what the router has resolved can be
    opened again. ``status_words`` maps component statuses to the vendor's terms where they differ.
    ``webhook_schemes`` name the signature schemes of the vendor's webhooks. ``retracts``: a post can be taken off the
    page; otherwise a retraction resolves it. ``monitoring`` is the value of ``update_status`` for a post that is
    monitored before it is resolved; empty if the kind has no such status. ``retrospective``: an incident that is over
    can be published as such. ``has_references``: created items carry their reference. ``corrects``: a posted update can
    be changed.
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
