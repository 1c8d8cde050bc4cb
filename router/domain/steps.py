"""The steps that ``plan`` may return for a publication, each with its reason code."""

import enum

import msgspec

from router.domain import publications
from router.domain.reasons import Cause, Reason
from router.domain.times import Timestamp


class WaitingOn(enum.StrEnum):
    """The event or actor that ends a wait."""

    NOTHING = "nothing"
    TIME = "time"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    OTHER_PUBLICATION = "other_publication"
    UNFREEZE = "unfreeze"
    STORM_QUEUE = "storm_queue"


class Subject(enum.StrEnum):
    """The subject of a reviewer's decision."""

    POST = "post"
    RESOLUTION = "resolution"
    RETRACTION = "retraction"
    RETROSPECTIVE = "retrospective"


class Execute(msgspec.Struct, frozen=True):
    """Begin an operation. ``also`` are further reasons for the timeline."""

    kind: publications.Kind
    cause: Cause
    also: tuple[Cause, ...] = ()


class ResumeIntent(msgspec.Struct, frozen=True):
    """Find out first whether an operation happened that was begun and whose result was never recorded."""

    intent: publications.Intent
    cause: Cause = Cause(Reason.OUTCOME_UNKNOWN)


class Wait(msgspec.Struct, frozen=True):
    """Wait until ``until``, or until a change. Times in microseconds. The vendor is read at ``observe_at``. ``subject``
    is the subject of a reviewer's decision.
    """

    cause: Cause
    until: Timestamp | None = None
    waiting_on: WaitingOn = WaitingOn.NOTHING
    observe_at: Timestamp | None = None
    subject: Subject = Subject.POST

    @property
    def due(self) -> Timestamp | None:
        """Return when the publication has to be planned again (microseconds); None if only after a change."""
        return min(filter(None, (self.until, self.observe_at)), default=None)


class Observe(msgspec.Struct, frozen=True):
    """Read the publication from the vendor. Nothing is changed there."""

    cause: Cause = Cause(Reason.OBSERVATION_DUE)


class Search(msgspec.Struct, frozen=True):
    """Search the vendor for what an unanswered open created late, and end every duplicate."""

    cause: Cause = Cause(Reason.LATE_OPEN_POSSIBLE)


Step = Execute | ResumeIntent | Observe | Search | Wait
