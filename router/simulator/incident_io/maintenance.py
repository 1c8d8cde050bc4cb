"""The maintenance windows of the simulated incident.io. Its users plan them; the router only reads them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic

from router.simulator.incident_io import requests

Values = Sequence[str]
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class ListWindows(requests.Paging):
    """The query of ``GET /v1/maintenance_windows``."""

    status: Literal["active", "past", "upcoming"] | None = None
    page_size: int = pydantic.Field(default=25, ge=1, le=250)


@dataclass
class Window:
    """One window. Times are microseconds since the epoch. ``groups`` are conditions: attribute, operation, values."""

    id: str
    name: str
    start_at: int
    end_at: int
    groups: Sequence[Sequence[tuple[str, str, Values]]]
    more: Mapping[str, Any] = field(default_factory=dict)

    def status(self, now: int) -> str:
        """Return whether the window is upcoming, active, or past."""
        # A window becomes active at its start and past at its end, so no moment has two statuses or none.
        return "upcoming" if now < self.start_at else "active" if now < self.end_at else "past"

    def answer(self) -> dict[str, Any]:
        """Return the window as ``MaintenanceWindowV1``."""
        begins = _moment(self.start_at)
        return {
            "id": self.id,
            "name": self.name,
            "start_at": begins,
            "end_at": _moment(self.end_at),
            "created_at": begins,
            "updated_at": begins,
            "reroute_on_end": False,
            "resolve_on_end": False,
            "show_in_sidebar": True,
            "lead": {"api_key": {"id": "01FCNDV6P870EA6S7TK1DSYDG0", "name": "key"}},
            "alert_condition_groups": [
                {"conditions": [_condition(*condition) for condition in group]} for group in self.groups
            ],
            **self.more,
        }


@dataclass
class Windows:
    """All windows of one organization."""

    known: list[Window] = field(default_factory=list)

    def find(self, list_windows: ListWindows, now: int) -> list[dict[str, Any]]:
        """Return the windows that match a query."""
        return [window.answer() for window in self.known if list_windows.status in {None, window.status(now)}]


def _condition(attribute: str, operation: str, values: Values) -> dict[str, Any]:
    """Return a condition as ``ConditionV2``. Each value has a label besides the literal that is compared."""
    # The literal differs from the label, because the router must match alerts by either of them.
    bound = [{"label": value, "literal": f"01LITERAL{number}"} for number, value in enumerate(values)]
    return {
        "operation": {"label": operation.replace("_", " "), "value": operation},
        "param_bindings": [{"array_value": bound}] if bound else [],
        "subject": {"label": attribute, "reference": f"alert.attributes.{attribute.upper()}"},
    }


def _moment(at: int) -> str:
    return (_EPOCH + dt.timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
