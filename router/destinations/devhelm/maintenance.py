"""Reads DevHelm's maintenance windows as silences: a monitor under maintenance opens nothing here.

A window covers one monitor, or all of them. An alert's monitor is its label ``monitor_id``, which the source
``devhelm`` sets.
"""

import msgspec

from router.destinations.devhelm import account, wire
from router.domain import times
from router.domain.silences import Matcher, Silence
from router.outbound import call_policy, client

PATH = "/api/v1/maintenance-windows"
LABEL = "monitor_id"
_AUTHOR = "DevHelm's maintenance"
_ANY = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # IDs of other vendors' monitors have other forms.
_SPARING = 0.4  # Share of the account's quota left for more urgent calls.


class MaintenanceWindow(msgspec.Struct, frozen=True, rename="camel"):
    """One ``MaintenanceWindowDto``."""

    id: str
    starts_at: wire.Moment
    ends_at: wire.Moment
    suppress_alerts: bool
    monitor_id: str | None = None
    reason: str | None = None


async def read_silences(http: client.Client, name: str) -> list[Silence]:
    """Return active and future windows that suppress alerts. Raises ``errors.Failure``."""
    http = http.within(call_policy.CallBudget(_SPARING))
    windows: dict[str, MaintenanceWindow] = {}
    # A window that begins between the two requests is in both responses, not in neither.
    for state in ("upcoming", "active"):
        async for page in account.read_pages(
            http, PATH, MaintenanceWindow, {"filter": state}, noun="maintenance window"
        ):
            windows.update((window.id, window) for window in page if window.suppress_alerts)
    return [_silence(window, name) for window in windows.values()]


def _silence(window: MaintenanceWindow, name: str) -> Silence:
    matcher = Matcher(LABEL, "=", window.monitor_id) if window.monitor_id else Matcher(LABEL, "=~", _ANY)
    return Silence(
        window.id,
        (matcher,),
        times.from_datetime(window.starts_at),
        times.from_datetime(window.ends_at),
        _AUTHOR,
        window.reason or "",
        name,
    )
