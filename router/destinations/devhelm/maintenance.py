"""DevHelm's maintenance windows as silences: what is under maintenance there opens nothing here. They are only read.

The vendor knows a window for one monitor, or for all of them. An alert is a monitor's by its label ``monitor_id``,
which is what the source ``devhelm`` calls it.
"""

import datetime as dt

import msgspec

from router.destinations.devhelm import account, wire
from router.domain import silences as silence
from router.outbound import client

PATH = "/api/v1/maintenance-windows"
LABEL = "monitor_id"
_AUTHOR = "DevHelm's maintenance"
_ANY = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # Other vendors' monitors have ids of other forms.
_SPARING = 0.4  # Of the account's quota, left for what is more urgent.
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Window(msgspec.Struct, frozen=True, rename="camel"):
    """One of ``MaintenanceWindowDto``."""

    id: str
    starts_at: wire.Moment
    ends_at: wire.Moment
    suppress_alerts: bool
    monitor_id: str | None = None
    reason: str | None = None


async def silences(http: client.Client, name: str) -> list[silence.Silence]:
    """The windows that hold now or are still to come; ``errors.Failure`` where the vendor can't be asked.

    One that does not suppress alerts there does not here.
    """
    client.floor.set(_SPARING)
    found: dict[str, Window] = {}
    # What begins between the two questions is in both answers and not in neither.
    for state in ("upcoming", "active"):
        async for page in account.read_pages(http, PATH, Window, {"filter": state}, what="maintenance window"):
            found.update((one.id, one) for one in page if one.suppress_alerts)
    return [_silence(one, name) for one in found.values()]


def _silence(one: Window, name: str) -> silence.Silence:
    of = silence.Matcher(LABEL, "=", one.monitor_id) if one.monitor_id else silence.Matcher(LABEL, "=~", _ANY)
    return silence.Silence(one.id, (of,), _micros(one.starts_at), _micros(one.ends_at), _AUTHOR, one.reason or "", name)


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
