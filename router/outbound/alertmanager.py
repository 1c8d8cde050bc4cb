"""Asks an Alertmanager for its silences and its alerts, by its API v2, and changes nothing there."""

import datetime as dt
from typing import Annotated, Any

import msgspec

from router.domain import silences as silence
from router.outbound import client

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
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
    """An alert that an Alertmanager has and that has not resolved.

    ``starts_at`` is microseconds, but told in whole milliseconds. It is ``active`` unless it is silenced or
    inhibited there, or not looked at yet; ``receivers`` are those whom its routes lead to.
    """

    fingerprint: str
    starts_at: int
    active: bool
    receivers: tuple[str, ...]
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str


class Condition(msgspec.Struct, frozen=True):
    """Since when an Alertmanager is up (microseconds), and whether it knows its cluster, if it has one."""

    up_since: int
    settled: bool


async def silences(http: client.Client, name: str) -> silence.Imported:
    """Read the silences that hold there or are still to come; ``errors.Failure`` if it can't be asked.

    Each is read by itself: one that can't be read, such as one without matchers, is skipped, and the others hold.
    """
    found: list[silence.Silence] = []
    skipped: dict[str, str] = {}
    for position, listed in enumerate(await http.read("/api/v2/silences", list[Any])):
        if _has_expired(listed):
            continue
        try:
            found.append(_read(msgspec.convert(listed, _Silence), name))
        except msgspec.ValidationError as error:
            identity = listed.get("id") if isinstance(listed, dict) else None
            skipped[identity if isinstance(identity, str) else f"[{position}]"] = str(error)
    return silence.Imported(found, skipped)


def _has_expired(listed: Any) -> bool:
    try:
        return msgspec.convert(listed, _Ended).status.state == "expired"
    except msgspec.ValidationError:
        return False


async def alerts(http: client.Client) -> list[Listed]:
    """All alerts that have not resolved, whatever their state; ``errors.Failure`` where it can't be asked."""
    return [
        Listed(
            one.fingerprint,
            _micros(one.starts_at),
            one.status.state == "active",
            tuple(receiver.name for receiver in one.receivers),
            one.labels,
            one.annotations,
            one.link,
        )
        for one in await http.read("/api/v2/alerts", list[_Alert], query=_EVERY_STATE)
    ]


async def condition(http: client.Client) -> Condition:
    """How it is; ``errors.Failure`` where it can't be asked."""
    found = await http.read("/api/v2/status", _Status)
    return Condition(_micros(found.uptime), found.cluster.status in {"ready", "disabled"})


async def receivers(http: client.Client) -> list[str]:
    """The names of all receivers of its configuration; ``errors.Failure`` where it can't be asked."""
    return [one.name for one in await http.read("/api/v2/receivers", list[_Receiver])]


def _read(one: _Silence, name: str) -> silence.Silence:
    return silence.Silence(
        one.id,
        tuple(silence.Matcher(m.name, _operator(m), m.value) for m in one.matchers),
        _micros(one.starts_at),
        _micros(one.ends_at),
        one.created_by,
        one.comment,
        name,
    )


def _operator(one: _Matcher) -> silence.Operator:
    if one.is_regex:
        return "=~" if one.is_equal else "!~"
    return "=" if one.is_equal else "!="


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
