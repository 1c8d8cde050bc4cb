"""Settings of a notifier's ``quiet_hours``, and their conversion to ``domain.quiet_hours``."""

import zoneinfo
from typing import Any, Literal

import pydantic

from router.domain import events, quiet_hours, recurrence, weekly
from router.domain.times import Timestamp
from router.yaml_source import suggestions

_MONDAY = Timestamp(1_767_571_200_000_000)  # 2026-01-05 00:00 UTC. Any other day would do.
_WEEK = 7 * recurrence.DAY
_MODEL = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class QuietWindow(pydantic.BaseModel):
    """A weekly window. A window that crosses midnight belongs to the day on which it begins."""

    model_config = _MODEL

    days: str = pydantic.Field(default="", description="Days, such as mon-fri or sat,sun; every day if absent.")
    begins: str = pydantic.Field(default="", alias="from", description='When it begins, as "22:00".')
    ends: str = pydantic.Field(
        default="", alias="to", description='When it ends, as "07:00"; on the next day if it is before the start.'
    )

    @pydantic.model_validator(mode="after")
    def _check_window(self) -> "QuietWindow":
        if bool(self.begins) != bool(self.ends):
            raise ValueError('"from" and "to" must be set together')
        # The zone doesn't matter here: parsing only checks the days and the times.
        self.parse("UTC")
        return self

    def parse(self, zone: str) -> weekly.WeeklyWindow:
        """Parse the window in the time zone ``zone``. Raise ``ValueError`` if it is invalid."""
        times = f"{self.begins}-{self.ends}" if self.begins else ""
        return weekly.parse(" ".join(part for part in (self.days, times, zone) if part))


class Exceptions(pydantic.BaseModel):
    """Events that ignore quiet hours."""

    model_config = _MODEL

    severities: tuple[Literal["critical", "major", "minor", "info"], ...] = ()
    topics: tuple[events.Topic, ...] = ()
    events: tuple[str, ...] = ()

    @pydantic.field_validator("events")
    @classmethod
    def _check_events(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in events.TOPICS:
                raise ValueError(f'unknown event "{name}"{suggestions.hint(name, events.TOPICS)}')
        return names


class QuietHoursConfig(pydantic.BaseModel):
    """The times when events are held: one window, written inline, or several in ``windows``."""

    model_config = _MODEL

    time_zone: str
    days: str = ""
    begins: str = pydantic.Field(default="", alias="from")
    ends: str = pydantic.Field(default="", alias="to")
    windows: tuple[QuietWindow, ...] = ()
    exceptions: Exceptions = pydantic.Field(default=Exceptions(), alias="except")

    @pydantic.field_validator("time_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            weekly.parse(f"mon {zone}")
        except weekly.InvalidWeeklyWindow:
            hint = suggestions.hint(zone, zoneinfo.available_timezones())
            raise ValueError(f'there is no time zone "{zone}"{hint or "; write it like Europe/Zurich"}') from None
        return zone

    @pydantic.model_validator(mode="after")
    def _check_ends(self) -> "QuietHoursConfig":
        # An empty setting would hold nothing, without a message.
        if not self._windows():
            raise ValueError('set "from" and "to", or "windows"')
        built = self.build()
        # Windows can overlap so that together they cover the week. Events would then be held forever.
        if (end := built.until(_MONDAY)) and end - _MONDAY >= _WEEK:
            raise ValueError("the quiet hours never end")
        return self

    def _windows(self) -> tuple[QuietWindow, ...]:
        fields: dict[str, Any] = {"days": self.days, "from": self.begins, "to": self.ends}
        return (*((QuietWindow(**fields),) if any(fields.values()) else ()), *self.windows)

    def build(self) -> quiet_hours.QuietHours:
        """Build the quiet hours. The settings are valid here, because validation has parsed the windows."""
        return quiet_hours.QuietHours(
            tuple(window.parse(self.time_zone).interval() for window in self._windows()),
            frozenset(self.exceptions.severities),
            frozenset(self.exceptions.topics),
            frozenset(self.exceptions.events),
        )
