"""One alert in the normal form that every source produces and everything after it reads."""

from typing import Literal

import msgspec

Status = Literal["firing", "resolved"]

_YES = frozenset({"true", "yes", "1"})


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One firing or resolved condition.

    ``fingerprint`` stays the same from firing to resolved and is unique within ``source``. ``starts_at`` and
    ``ends_at`` are microseconds since the epoch. While the alert fires, ``ends_at`` is when it ends by itself unless
    it is repeated with a later end by then; 0 where it fires until it is said to be resolved. ``severity`` is the
    sender's own word (empty where it sends none): rules decide what it means here. ``link`` points back at
    whatever the sender links to. ``origin`` names the instance of the sender if several may share fingerprints (an
    Alertmanager's external URL); empty if that's unknown.
    """

    source: str
    fingerprint: str
    status: Status
    starts_at: int
    ends_at: int
    title: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    severity: str = ""
    link: str = ""
    origin: str = ""

    @property
    def is_test(self) -> bool:
        """Whether somebody tries something out: the label ``test`` says ``true``, ``yes`` or ``1``."""
        label = self.labels.get("test")
        return label is not None and label.strip().lower() in _YES

    @property
    def identity(self) -> str:
        """The fingerprint with its scope, unique over all sources."""
        return f"{self.source}/{self.fingerprint}"
