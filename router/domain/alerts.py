"""An alert in the normal form that every source produces and all later stages read."""

from typing import Literal

import msgspec

from router.domain.times import Timestamp

Status = Literal["firing", "resolved"]

_YES = frozenset({"true", "yes", "1"})


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One firing or resolved condition.

    ``fingerprint`` stays the same from firing to resolved and is unique within ``source``. ``starts_at`` and
    ``ends_at`` are microseconds since the epoch. While the alert fires, ``ends_at`` is when it expires unless a message
    with a later end repeats it by then; 0 if it fires until the sender reports its end. ``severity`` is the sender's
    own word (empty if it sends none): rules map it to a severity. ``link`` is the sender's link, for example to a
    graph. ``origin`` names the instance of the sender if several may share fingerprints (an Alertmanager's external
    URL); empty if that's unknown.
    """

    source: str
    fingerprint: str
    status: Status
    starts_at: Timestamp
    ends_at: Timestamp
    title: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    severity: str = ""
    link: str = ""
    origin: str = ""

    @property
    def is_test(self) -> bool:
        """Return whether the alert is a test: its label ``test`` is ``true``, ``yes``, or ``1``."""
        label = self.labels.get("test")
        return label is not None and label.strip().lower() in _YES

    @property
    def identity(self) -> str:
        """Return the fingerprint with its scope, which is unique over all sources."""
        return f"{self.source}/{self.fingerprint}"
