"""What a person has decided of a publication that waited for one; kept with the incident, for one episode."""

import hashlib
from typing import Any, Literal

import msgspec


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """A person's word on what would be shown at one destination, or on what a vendor has refused.

    ``digest`` is that of the content decided upon: whatever is wanted there later needs another verdict. An empty one
    speaks of the whole episode. ``fields`` are the person's own words over the rule's, and ``ending`` those that hold
    only once nothing fires. ``who`` and ``reason`` are kept for the timeline; ``at`` is microseconds since the epoch.
    """

    kind: Literal["approved", "dismissed"]
    who: str
    at: int
    digest: str = ""
    reason: str = ""
    fields: dict[str, Any] = {}
    ending: dict[str, Any] = {}

    def covers(self, digest: str) -> bool:
        """Whether this is about a content."""
        return not self.digest or self.digest == digest


class Retraction(msgspec.Struct, frozen=True, array_like=True):
    """An operator's word that the post of one episode at one public page is false and has to go.

    It holds until a reviewer approves that the post is published again. ``message`` is the text of the resolution at a
    page that can't take a post down; the destination's own if empty. ``digest`` stands for what the operator saw: what
    somebody else changes at the vendor after that isn't taken down unseen. ``who`` and ``reason`` are kept for the
    timeline; ``at`` is microseconds since the epoch.
    """

    who: str
    at: int
    reason: str
    digest: str
    message: str = ""


def digest_of(content: str, shown: str) -> str:
    """Return what a reviewer decides upon: a content, and what the vendor showed beside it if a person changed that.

    ``content`` is the digest of what would be sent (or ``RESOLUTION``), ``shown`` that of the vendor's view, empty if
    no person has changed anything there. Another change makes it another decision.
    """
    if not shown:
        return content
    return hashlib.blake2b(f"{content}/{shown}".encode(), digest_size=12).hexdigest()


def retrospective_of(content: str, began_at: int, ended_at: int) -> str:
    """Return the digest of a retrospective incident: whoever approves the live post hasn't approved this."""
    return hashlib.blake2b(f"{content}/{began_at}/{ended_at}".encode(), digest_size=12).hexdigest()


def again_of(asked: str, retraction: Retraction, verdict: Verdict | None) -> str:
    """Return the digest of publishing a retracted post again, of which ``asked`` is what would be sent.

    It includes the retraction and the newest verdict: whoever decided, or looked, before either has to look again.
    """
    before = f"{verdict.at}/{verdict.who}" if verdict is not None else ""
    packed = f"{asked}/{retraction.at}/{retraction.who}/{before}"
    return hashlib.blake2b(packed.encode(), digest_size=12).hexdigest()


def ending_of(asked: str, episode: str, text: str) -> str:
    """Return the digest of the end of a post as a reviewer sees it: with its text, and for this episode only.

    ``asked`` is the digest of the verdict, which is the same for every end.
    """
    return hashlib.blake2b(f"{asked}/{episode}/{text}".encode(), digest_size=12).hexdigest()


RESOLUTION = "resolution"
"""The digest of a verdict on the end of a post: a person has taken it over, or its rule wants a reviewer to end it."""

RETRACTION = "retraction"
"""The digest of the retraction of a post that nobody has changed at the vendor."""
