"""The maintenance windows of the simulated DevHelm. Its users plan them; the router only reads them."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic

from router.simulator.devhelm import answers, refusals, requests

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class CreateWindow(requests.Request):
    """``POST /api/v1/maintenance-windows``; without a monitor it holds for all monitors of the organisation."""

    starts_at: pydantic.AwareDatetime
    ends_at: pydantic.AwareDatetime
    monitor_id: UUID | None = None
    repeat_rule: Annotated[str, pydantic.StringConstraints(max_length=100)] | None = None
    reason: Annotated[str, pydantic.StringConstraints(max_length=500)] | None = None
    suppress_alerts: bool | None = None


class ListWindows(requests.Request):
    """The query of ``GET /api/v1/maintenance-windows``."""

    monitor_id: UUID | None = None
    filter: Literal["active", "upcoming"] | None = None
    page: Annotated[int, pydantic.Field(ge=0)] = 0
    size: Annotated[int, pydantic.Field(ge=1, le=200)] = 20


@dataclass(frozen=True)
class Window:
    """One window, with times in microseconds since the epoch."""

    id: str
    wanted: CreateWindow
    created_at: int

    @property
    def starts_at(self) -> int:
        """Return when the window begins."""
        return _micros(self.wanted.starts_at)

    @property
    def ends_at(self) -> int:
        """Return when the window ends."""
        return _micros(self.wanted.ends_at)

    def answer(self) -> dict[str, Any]:
        """Return the window as ``MaintenanceWindowDto``."""
        return {
            "id": self.id,
            "monitorId": str(self.wanted.monitor_id) if self.wanted.monitor_id else None,
            "organizationId": answers.ORGANISATION,
            "startsAt": answers.moment(self.starts_at),
            "endsAt": answers.moment(self.ends_at),
            "repeatRule": self.wanted.repeat_rule,
            "reason": self.wanted.reason,
            "suppressAlerts": self.wanted.suppress_alerts is not False,
            "createdAt": answers.moment(self.created_at),
        }


@dataclass
class Windows:
    """All windows of one organization, in the order of their creation."""

    known: list[Window] = field(default_factory=list)

    def create(self, identity: str, wanted: CreateWindow, now: int) -> Window:
        """Add a window. Raises ``Refusal`` if it doesn't end after it begins."""
        if wanted.ends_at <= wanted.starts_at:
            raise refusals.invalid("endsAt", "must be after startsAt")
        window = Window(identity, wanted, now)
        self.known.append(window)
        return window

    def found(self, wanted: ListWindows, now: int) -> list[Window]:
        """Return the windows that match a query."""
        return [one for one in self.known if _matches(one, wanted, now)]


def _matches(one: Window, wanted: ListWindows, now: int) -> bool:
    if wanted.monitor_id is not None and one.wanted.monitor_id != wanted.monitor_id:
        return False
    if wanted.filter == "active":
        return one.starts_at <= now < one.ends_at
    return wanted.filter is None or now < one.starts_at


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
