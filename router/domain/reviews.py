"""Reviewers' and operators' decisions on publications. They are stored with the incident, for one episode."""

import hashlib
from typing import Any, Literal

import msgspec

from router.domain.times import Timestamp


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """A person's decision on the content for one destination, or on an operation that a vendor has refused.

    ``digest`` identifies the content: later content needs another verdict. An empty digest covers the whole
    episode. ``fields`` are the person's own texts, which override the rule's, and ``ending`` those that apply only once
    no alert fires. ``who`` and ``reason`` are stored for the timeline; ``at`` is microseconds since the epoch.
    """

    kind: Literal["approved", "dismissed"]
    who: str
    at: Timestamp
    digest: str = ""
    reason: str = ""
    fields: dict[str, Any] = {}
    ending: dict[str, Any] = {}

    def covers(self, digest: str) -> bool:
        """Return whether the decision is on content."""
        return not self.digest or self.digest == digest


class Retraction(msgspec.Struct, frozen=True, array_like=True):
    """An operator's statement that the post of one episode at one public page is false and must be taken down.

    It holds until a reviewer approves that the post is published again. ``message`` is the text of the resolution at a
    page that can't take a post down; the destination's own if empty. ``digest`` identifies what the operator saw: a
    later change by another person at the vendor isn't taken down unseen. ``who`` and ``reason`` are stored for the
    timeline; ``at`` is microseconds since the epoch.
    """

    who: str
    at: Timestamp
    reason: str
    digest: str
    message: str = ""


class Take(msgspec.Struct, frozen=True, array_like=True):
    """A person's statement that they work on a review, from ``at`` until ``until`` (microseconds since the epoch).

    It pauses reminders and the escalation. It keeps no other person from deciding. ``released_by`` ended it early.
    """

    who: str
    at: Timestamp
    until: Timestamp
    released_by: str = ""


def digest_of(content: str, vendor_digest: str) -> str:
    """Return the digest of a reviewer's subject: the content, and the vendor's view if a person changed it there.

    ``content`` is the digest of what would be sent (or ``RESOLUTION``), ``vendor_digest`` that of the vendor's
    view, empty if no person has changed anything there. Another change needs another decision.
    """
    if not vendor_digest:
        return content
    return hashlib.blake2b(f"{content}/{vendor_digest}".encode(), digest_size=12).hexdigest()


def retrospective_of(content: str, began_at: Timestamp, ended_at: Timestamp) -> str:
    """Return the digest of a retrospective incident. An approval of the live post doesn't cover it."""
    return hashlib.blake2b(f"{content}/{began_at}/{ended_at}".encode(), digest_size=12).hexdigest()


def again_of(digest: str, retraction: Retraction, verdict: Verdict | None) -> str:
    """Return the digest of publishing a retracted post again. ``digest`` is the digest of what would be sent.

    It includes the retraction and the newest verdict: a reviewer who decided, or looked, before has to look again.
    """
    before = f"{verdict.at}/{verdict.who}" if verdict is not None else ""
    packed = f"{digest}/{retraction.at}/{retraction.who}/{before}"
    return hashlib.blake2b(packed.encode(), digest_size=12).hexdigest()


def ending_of(digest: str, episode: str, text: str) -> str:
    """Return the digest of the end of a post as a reviewer sees it: with its text, and for this episode only.

    ``digest`` is the digest of the verdict, which is the same for every end.
    """
    return hashlib.blake2b(f"{digest}/{episode}/{text}".encode(), digest_size=12).hexdigest()


RESOLUTION = "resolution"
"""The digest of a verdict on the end of a post that a person has taken over, or whose rule requires a review."""

RETRACTION = "retraction"
"""The digest of the retraction of a post that no person has changed at the vendor."""
