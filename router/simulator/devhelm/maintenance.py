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

    def create(self, identity: str, create_window: CreateWindow, now: int) -> Window:
        """Add a window. Raises ``Refusal`` if it doesn't end after it begins."""
        # A window of no length would be listed as neither active nor upcoming.
        if create_window.ends_at <= create_window.starts_at:
            raise refusals.invalid("endsAt", "must be after startsAt")
        window = Window(identity, create_window, now)
        self.known.append(window)
        return window

    def find(self, list_windows: ListWindows, now: int) -> list[Window]:
        """Return the windows that match a query."""
        return [window for window in self.known if _matches(window, list_windows, now)]


def _matches(window: Window, list_windows: ListWindows, now: int) -> bool:
    if list_windows.monitor_id is not None and window.wanted.monitor_id != list_windows.monitor_id:
        return False
    if list_windows.filter == "active":
        return window.starts_at <= now < window.ends_at
    # DevHelm has no filter for past windows. Only a list without a filter contains them.
    return list_windows.filter is None or now < window.starts_at


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
