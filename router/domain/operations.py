"""Operations: the calls that bring a publication closer to its desired state, as destinations receive them."""

import msgspec

from router.domain import identity, publications, reasons
from router.domain.times import Timestamp


class Operation(msgspec.Struct, frozen=True):
    """One call to make.

    ``key`` is the idempotency key and ``reference`` the short name to search for: both are the same for every attempt.
    ``opened_at`` is when the episode opened, in microseconds. ``vendor_id`` is empty until the publication is open; an
    ``open`` with a ``vendor_id`` reopens that vendor incident, which belongs to the previous episode. ``linked_id`` is
    the ID of the incident that a page's post belongs to, if there is one.

    ``before`` is what was last sent. If the vendor shows neither that nor the desired content, a person has changed it,
    and nothing is sent. Without ``before``, people's changes are overwritten. ``told`` are the marks of the texts in
    the vendor's timeline after the router's last operation. ``others`` is how badly other open incidents of the router
    affect components of the same page: no component is shown in a better state than that.

    ``is_repeated`` says that the same open was sent before and its outcome isn't known: it has to be the same request.
    ``taken`` are the IDs at the vendor that belong to other publications: a search never returns one of them. With
    ``ended_at``, an ``open`` is of an incident that is already over and began at ``began_at``: the vendor notifies no
    subscriber. With ``is_over``, the incident has ended: its responders aren't paged. ``failures`` counts the attempts
    at this publication that have failed in a row.

    ``message`` is the text with which an operator has a post retracted; the destination's own if empty.
    ``view`` is what the vendor showed after the router's last operation. ``lags`` is set if that was so recent that a
    read may still show the state before it. ``uncertain`` are contents of updates that the vendor may have carried out
    in part, or may carry out late: what the vendor shows of them is no change by a person.
    """

    kind: publications.Kind
    episode: str
    destination: str
    number: int
    content: publications.Content
    opened_at: Timestamp
    vendor_id: str = ""
    linked_id: str = ""
    before: publications.Content | None = None
    told: tuple[str, ...] = ()
    others: dict[str, str] = {}
    is_repeated: bool = False
    taken: frozenset[str] = frozenset()
    view: publications.View = publications.View()
    lags: bool = False
    uncertain: tuple[publications.Content, ...] = ()
    message: str = ""
    began_at: Timestamp = Timestamp(0)
    ended_at: Timestamp = Timestamp(0)
    is_over: bool = False
    failures: int = 0

    @property
    def worsens(self) -> bool:
        """Return whether the content is more severe than the last one sent, or is the first."""
        return self.before is None or self.content.severity > self.before.severity

    @property
    def is_repeat_of_last(self) -> bool:
        """Return whether the content was sent last, so that only the vendor's state may differ."""
        return self.before is not None and self.before.digest == self.content.digest

    @property
    def key(self) -> str:
        """Return the idempotency key, a UUID."""
        # A live post with the same number would be another request, and the vendor may have processed it.
        destination = f"{self.destination}/retrospective" if self.ended_at else self.destination
        return identity.idempotency_key(self.episode, destination, self.number)

    @property
    def reference(self) -> str:
        """Return the episode's short name, for example ``IR-7F3K2QXM-A1B4T9``."""
        return identity.reference(self.episode)


class Omission(msgspec.Struct, frozen=True):
    """A part that an operation omitted: field, code (cut, left_out, refused, replaced), and details for people."""

    field: str
    code: str
    detail: str


class OpenItem(msgspec.Struct, frozen=True, array_like=True):
    """An open incident or a draft in the list of a destination.

    ``reference`` is the router's own. It is empty if the kind of destination shows none; ``text`` is then the first
    text of the timeline. ``opened_at`` is by the vendor's clock, in microseconds.
    """

    vendor_id: str
    reference: str = ""
    title: str = ""
    text: str = ""
    url: str = ""
    opened_at: Timestamp = Timestamp(0)


class VendorState(msgspec.Struct, frozen=True):
    """A destination's report of a publication.

    ``edited`` says what a person has changed there: then nothing was sent. ``told`` are the marks of the texts in its
    timeline. ``note`` tells people how the operation was done. ``ended`` says that this call ended it. ``omitted``
    lists what was cut or left out for the call to succeed.

    ``view`` is what it shows, if the destination records that. ``differs`` is what it shows differently from what was
    sent. ``is_acknowledged``: a responder has acknowledged it there. ``is_stale`` is set if the vendor responded with
    the state before the router's last operation: then nothing else is known.
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
    is_acknowledged: bool = False
