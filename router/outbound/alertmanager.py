"""Reads the silences and alerts of an Alertmanager through its API v2, without changing anything."""

import datetime as dt
from typing import Annotated, Any

import msgspec

from router.domain import times
from router.domain.silences import Imported, Matcher, Operator, Silence
from router.domain.times import Timestamp
from router.outbound import client

_EVERY_STATE = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}


class _Matcher(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class _State(msgspec.Struct, frozen=True, gc=False):
    state: str


class _Ended(msgspec.Struct, frozen=True):
    status: _State


class _Silence(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    status: _State
    matchers: Annotated[list[_Matcher], msgspec.Meta(min_length=1)]
    starts_at: dt.datetime
    ends_at: dt.datetime
    created_by: str = ""
    comment: str = ""


class _Receiver(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Alert(msgspec.Struct, frozen=True, gc=False, rename={"starts_at": "startsAt", "link": "generatorURL"}):
    fingerprint: Annotated[str, msgspec.Meta(min_length=1)]
    status: _State
    labels: dict[str, str]
    starts_at: dt.datetime
    receivers: list[_Receiver]
    annotations: dict[str, str] = {}
    link: str = ""


class _Cluster(msgspec.Struct, frozen=True):
    status: str


class _Status(msgspec.Struct, frozen=True):
    cluster: _Cluster
    uptime: dt.datetime


class Listed(msgspec.Struct, frozen=True, gc=False):
    """An unresolved alert of an Alertmanager.

    ``starts_at`` is in microseconds with millisecond precision. The alert is ``active`` unless it is silenced,
    inhibited, or not yet processed. ``receivers`` are the receivers that its routes select.
    """

    fingerprint: str
    starts_at: Timestamp
    active: bool
    receivers: tuple[str, ...]
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str


class ServerStatus(msgspec.Struct, frozen=True):
    """When an Alertmanager started (microseconds), and whether its cluster, if it has one, has settled."""

    up_since: Timestamp
    settled: bool


async def read_silences(http: client.Client, name: str) -> Imported:
    """Return the active and future silences. Raises ``errors.Failure``.

    A silence that can't be parsed, such as one without matchers, is skipped.
    """
    active: list[Silence] = []
    skipped: dict[str, str] = {}
    for position, entry in enumerate(await http.read("/api/v2/silences", list[Any])):
        # An expired silence is skipped before it is parsed: one that can't be parsed is no problem to report.
        if _has_expired(entry):
            continue
        try:
            active.append(_read(msgspec.convert(entry, _Silence), name))
        except msgspec.ValidationError as error:
            # The entry can't be parsed, so its ID may be missing or have another type.
            identity = entry.get("id") if isinstance(entry, dict) else None
            skipped[identity if isinstance(identity, str) else f"[{position}]"] = str(error)
    return Imported(active, skipped)


def _has_expired(entry: Any) -> bool:
    try:
        return msgspec.convert(entry, _Ended).status.state == "expired"
    except msgspec.ValidationError:
        return False


async def read_alerts(http: client.Client) -> list[Listed]:
    """Return all unresolved alerts, whatever their state. Raises ``errors.Failure``."""
    return [
        Listed(
            listed_alert.fingerprint,
            times.from_datetime(listed_alert.starts_at),
            listed_alert.status.state == "active",
            tuple(receiver.name for receiver in listed_alert.receivers),
            listed_alert.labels,
            listed_alert.annotations,
            listed_alert.link,
        )
        for listed_alert in await http.read("/api/v2/alerts", list[_Alert], query=_EVERY_STATE)
    ]


async def read_status(http: client.Client) -> ServerStatus:
    """Return the condition of the Alertmanager. Raises ``errors.Failure``."""
    listed_status = await http.read("/api/v2/status", _Status)
    return ServerStatus(
        times.from_datetime(listed_status.uptime), listed_status.cluster.status in {"ready", "disabled"}
    )


async def read_receivers(http: client.Client) -> list[str]:
    """Return the names of all receivers. Raises ``errors.Failure``."""
    return [receiver.name for receiver in await http.read("/api/v2/receivers", list[_Receiver])]


def _read(silence: _Silence, name: str) -> Silence:
    return Silence(
        silence.id,
        tuple(Matcher(m.name, _operator(m), m.value) for m in silence.matchers),
        times.from_datetime(silence.starts_at),
        times.from_datetime(silence.ends_at),
        silence.created_by,
        silence.comment,
        name,
    )


def _operator(matcher: _Matcher) -> Operator:
    if matcher.is_regex:
        return "=~" if matcher.is_equal else "!~"
    return "=" if matcher.is_equal else "!="
