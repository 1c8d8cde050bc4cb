"""Notices: what the router cut, replaced, or ignored in an alert that it accepted.

Limits truncate and unreadable details are replaced, so that the alert itself is never lost. Each such change is a
notice. Notices travel with the delivery. The response, ``explain``, the incident's timeline, and a metric show them.
"""

from typing import Literal

import msgspec

Code = Literal[
    "alerts_truncated",  # The delivery has more alerts than are read.
    "labels_truncated",  # The alert has more labels than are kept.
    "value_truncated",  # A text of the alert is longer than is kept.
    "time_unreadable",  # A time could not be read; the time of receipt stands in.
    "field_ignored",  # An optional field could not be read; the alert is processed without it.
]


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change to an accepted delivery.

    ``where`` is the place in the body or the alert's field, ``detail`` says what was done, with numbers.
    ``fingerprint`` is that of the affected alert; empty if the notice is about the whole delivery.
    """

    code: Code
    where: str
    detail: str
    fingerprint: str = ""
