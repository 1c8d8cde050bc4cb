"""Asks an Alertmanager for its silences, by its API v2 (``GET /api/v2/silences``), and changes nothing there."""

import datetime as dt
from typing import Annotated

import msgspec

from router.domain import silence
from router.outbound import client

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _Matcher(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class _Status(msgspec.Struct, frozen=True):
    state: str


class _Silence(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    status: _Status
    matchers: Annotated[list[_Matcher], msgspec.Meta(min_length=1)]
    starts_at: dt.datetime
    ends_at: dt.datetime
    created_by: str = ""
    comment: str = ""


async def silences(http: client.Client, name: str) -> list[silence.Silence]:
    """The silences that hold there or are still to come; ``errors.Failure`` where it can't be asked."""
    found = await http.read("/api/v2/silences", list[_Silence])
    return [_read(one, name) for one in found if one.status.state != "expired"]


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
