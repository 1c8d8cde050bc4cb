"""Notices: what the router cut, replaced, or ignored in an alert that it accepted.

Limits truncate and unreadable details are replaced, so that the alert itself is never lost. Each such change is a
notice. Notices travel with the delivery. The response, ``explain``, the incident's timeline, and a metric show them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

Code = Literal[
    "alerts_truncated",  # The delivery has more alerts than are read.
    "labels_truncated",  # The alert has more labels or annotations than are stored.
    "value_truncated",  # A text of the alert is longer than is stored.
    "time_unreadable",  # A time could not be read; the time of receipt replaces it.
    "field_ignored",  # An optional field could not be read; the alert is processed without it.
    "body_repaired",  # The body isn't valid JSON; it was read with repairs.
    # The alert has none of the fields that its rule groups by; it is grouped with all others without them.
    "group_empty",
    "clock_behind",  # The sender's clock is behind: an alert that it extends had ended. It is processed as firing.
]

MAX_PER_CODE = 20  # Notices of one code in one delivery; one more notice counts the rest.


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change to an accepted delivery.

    ``where`` is the place in the body or the alert's field, ``detail`` says what was done, with numbers.
    ``fingerprint`` is that of the affected alert; empty if the notice is about the whole delivery. ``count`` is the
    number of changes that the notice covers.
    """

    code: Code
    where: str
    detail: str
    fingerprint: str = ""
    count: int = 1


def limit(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Keep the first ``MAX_PER_CODE`` notices of each code and count the rest in one notice about the delivery.

    A delivery of 20,000 alerts can cause as many notices. They are stored and shown, so their number is bounded.
    """
    kept_notices: list[Notice] = []
    seen: dict[Code, int] = {}
    rest: dict[Code, int] = {}
    for notice in notices:
        seen[notice.code] = seen.get(notice.code, 0) + 1
        if seen[notice.code] <= MAX_PER_CODE:
            kept_notices.append(notice)
        else:
            rest[notice.code] = rest.get(notice.code, 0) + notice.count
    for code, count in rest.items():
        kept_notices.append(Notice(code, "alerts", f"{count} more changes of this kind", count=count))
    return tuple(kept_notices)


def by_fingerprint(notices: Sequence[Notice]) -> Callable[[str], tuple[Notice, ...]]:
    """Return the notices about an alert, by its fingerprint: its own, and those about the whole delivery."""
    of_all = tuple(notice for notice in notices if not notice.fingerprint)
    of_alert: dict[str, tuple[Notice, ...]] = {}
    for notice in notices:
        if notice.fingerprint:
            of_alert[notice.fingerprint] = (*of_alert.get(notice.fingerprint, of_all), notice)
    return lambda fingerprint: of_alert.get(fingerprint, of_all)
