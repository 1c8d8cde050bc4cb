"""One call that brings a publication closer to what it should be, as destinations are handed it."""

import msgspec

from router.domain import identity
from router.domain import publication as publications


class Operation(msgspec.Struct, frozen=True):
    """One call to make.

    ``key`` is the idempotency key and ``reference`` the short name to search for: both the same for every attempt.
    ``opened_at`` is when the episode opened, in microseconds. ``vendor_id`` is empty until the publication is open.
    ``linked_id`` is the id of the incident that a page's post belongs to, where there is one.
    """

    kind: publications.Kind
    episode: str
    destination: str
    number: int
    content: publications.Content
    opened_at: int
    vendor_id: str = ""
    linked_id: str = ""

    @property
    def key(self) -> str:
        """The idempotency key, a UUID."""
        return identity.idempotency_key(self.episode, self.destination, self.number)

    @property
    def reference(self) -> str:
        """The episode's short name, for example ``IR-7F3K2QXM``."""
        return identity.reference(self.episode)


class Seen(msgspec.Struct, frozen=True):
    """What a destination says a publication is now."""

    vendor_id: str
    state: publications.State
    url: str = ""
