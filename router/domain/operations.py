"""One call that brings a publication closer to what it should be, as destinations are handed it."""

import msgspec

from router.domain import identity, publications, reasons


class Operation(msgspec.Struct, frozen=True):
    """One call to make.

    ``key`` is the idempotency key and ``reference`` the short name to search for: both the same for every attempt.
    ``opened_at`` is when the episode opened, in microseconds. ``vendor_id`` is empty until the publication is open;
    where an ``open`` has one, that is what the episode takes up again, and is to be opened again.
    ``linked_id`` is the id of the incident that a page's post belongs to, where there is one.

    ``before`` is what was last sent: where the vendor shows neither that nor what is wanted now, a person has changed
    it, and nothing is sent. Without it people's changes are overwritten. ``told`` are the marks of the texts that the
    vendor's timeline had after our last operation. ``others`` is how badly other open incidents of ours affect
    components of the same page: none is shown better than that.

    ``is_repeated`` says that the same open was sent before and its outcome isn't known: it has to be the same request.
    ``taken`` are the IDs at the vendor that belong to other publications: a search never answers with one of them.
    With ``ended_at`` an ``open`` is of what is over already, and began at ``began_at``: nobody is notified of it.
    ``message`` is the text with which an operator has a post retracted; the destination's own if empty.
    ``view`` is what the vendor showed after our last operation. ``lags`` if that was so short a time ago that a read
    may still show what was before it.
    """

    kind: publications.Kind
    episode: str
    destination: str
    number: int
    content: publications.Content
    opened_at: int
    vendor_id: str = ""
    linked_id: str = ""
    before: publications.Content | None = None
    told: tuple[str, ...] = ()
    others: dict[str, str] = {}
    is_repeated: bool = False
    taken: frozenset[str] = frozenset()
    view: publications.View = publications.View()
    lags: bool = False
    message: str = ""
    began_at: int = 0
    ended_at: int = 0

    @property
    def worsens(self) -> bool:
        """Whether it is worse than what was said before; what was never said is."""
        return self.before is None or self.content.severity > self.before.severity

    @property
    def key(self) -> str:
        """The idempotency key, a UUID."""
        # A live post under the same number would be another request, which may have been carried out.
        destination = f"{self.destination}/retrospective" if self.ended_at else self.destination
        return identity.idempotency_key(self.episode, destination, self.number)

    @property
    def reference(self) -> str:
        """The episode's short name, for example ``IR-7F3K2QXM-A1B4T9``."""
        return identity.reference(self.episode)


class Omission(msgspec.Struct, frozen=True):
    """What an operation did without: the field, a code (cut, left_out, refused, replaced), and details for people."""

    field: str
    code: str
    detail: str


class OpenItem(msgspec.Struct, frozen=True, array_like=True):
    """Something open at a destination, or a draft there, as a list shows it.

    ``reference`` is the router's own, empty if the kind of destination shows none: then ``text`` is the first text of
    the timeline. ``opened_at`` is by the vendor's clock, in microseconds.
    """

    vendor_id: str
    reference: str = ""
    title: str = ""
    text: str = ""
    url: str = ""
    opened_at: int = 0


class VendorState(msgspec.Struct, frozen=True):
    """What a destination says a publication is now.

    ``edited`` says what a person has changed there: then nothing was sent. ``told`` are the marks of the texts in
    its timeline. ``note`` is what people are to be told of how it was done. ``ended`` says that
    it was over only by this very call. ``omitted`` is what was cut or left out to have it done at all.

    ``view`` is what it shows, if the destination keeps that. ``differs`` is what it shows otherwise than was sent.
    ``is_stale`` if the vendor answered with what was before our last operation: then nothing else is known.
    """

    vendor_id: str
    state: publications.State
    url: str = ""
    edited: reasons.Edit | None = None
    told: tuple[str, ...] = ()
    note: str = ""
    ended: bool = False
    omitted: tuple[Omission, ...] = ()
    view: publications.View | None = None
    differs: str = ""
    is_stale: bool = False
