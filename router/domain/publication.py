"""An incident's appearance at one destination: what it should be there, and what it was last seen to be."""

import hashlib
from typing import Any, Literal

import msgspec

from router.domain import decision as decisions
from router.domain import severity as severities

State = Literal["absent", "draft", "open", "resolved", "dismissed"]
Kind = Literal["adopt", "open", "update", "publish", "resolve", "dismiss"]


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What is to be said: the severity, and the destination's own fields with every template rendered."""

    severity: severities.Severity
    fields: dict[str, Any]

    @property
    def digest(self) -> str:
        """A short hash: two contents with the same digest need no update between them."""
        packed = msgspec.msgpack.encode(self, order="sorted")
        return hashlib.blake2b(packed, digest_size=12).hexdigest()


class Desired(msgspec.Struct, frozen=True):
    """What a publication should be now.

    ``present`` says whether the incident should be open there. ``public`` destinations obey ``publish``; the others
    always act; ``approved`` says that a person has approved this episode there. ``adopts`` tells that the destination
    may have drafted the post itself, from the incident whose publication is named by ``follows``; ``linked_id`` is
    that one's id at the vendor once it has one, and ``follows_settled`` whether it will not get one any more.
    """

    present: bool
    content: Content
    public: bool = False
    publish: decisions.Publish = "review"
    approved: bool = False
    adopts: bool = False
    linked_id: str = ""
    follows_settled: bool = True


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """An operation that was written down before its call: after a crash nobody knows whether it happened."""

    kind: Kind
    number: int
    begun_at: int
    content: Content


class Publication(msgspec.Struct, frozen=True):
    """What is known of one episode at one destination.

    ``vendor_id`` is the id there, ``url`` a link for people. ``digest`` is that of the content last sent. ``number``
    counts the operations begun; it is part of their idempotency keys. ``content`` is what was last sent.
    ``retry_at`` is the earliest time of the next attempt, ``attempts`` how many have failed in a row. ``dead`` holds
    the vendor's message where the operation ``dead_of`` (kind and digest) was refused for good: it is not tried
    again, but another one is. ``adoption_tried`` says that no draft was found.
    """

    episode: str
    destination: str
    state: State = "absent"
    vendor_id: str = ""
    url: str = ""
    digest: str = ""
    content: Content | None = None
    number: int = 0
    intent: Intent | None = None
    retry_at: int = 0
    attempts: int = 0
    problem: str = ""
    dead: str = ""
    dead_of: str = ""
    adoption_tried: bool = False
    opened_at: int = 0

    @property
    def settled(self) -> bool:
        """True where nothing will ever be done again for this publication."""
        return self.state in {"resolved", "dismissed"}
