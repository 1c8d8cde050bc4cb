"""Bodies of successful responses: the incident and the rule of each alert in an accepted delivery."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.domain import deliveries
from router.sources import base
from router.web import ports, problems

STATUS = 202
_TRIED = 200
_START = "http.response.start"
_CONTENT_TYPE = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


class _Routed(msgspec.Struct, gc=False):
    fingerprint: str
    decided_incident_key: str
    rule: str


class _Ignored(msgspec.Struct, gc=False):
    fingerprint: str
    ignored: str


class _Accepted(msgspec.Struct, omit_defaults=True, gc=False):
    delivery: str
    alerts: list[Any]
    truncated: int = 0
    quarantined: str = ""
    where: str = ""
    problem: str = ""
    notices: tuple[dict[str, Any], ...] = ()


class Explained(NamedTuple):
    """The level of detail of a response. ``public`` are the names of public destinations. A dry run stores nothing."""

    public: frozenset[str] = frozenset()
    is_dry_run: bool = False


async def send_accepted(
    send: problems.Send,
    delivery: deliveries.Delivery,
    parsed: base.Parsed,
    *,
    explain: Explained | None = None,
    quarantine_id: str = "",
    placements: Sequence[ports.Placement] = (),
) -> None:
    """Send 202 with the decisions; ``explain`` adds severities, targets, the place of each rule, and ``placements``.

    A dry run gets 200 without a delivery ID, since nothing is stored. ``quarantine_id`` is the quarantine ID of the
    unreadable alerts. ``placements`` have the incident that holds each alert, and what mutes the alert.
    """
    rejections = _format_rejection(parsed, quarantine_id)
    if explain is not None:
        places: Sequence[ports.Placement | None] = placements or [None] * len(delivery.rows)
        response = _explain(delivery, parsed, places, explain.public) | rejections
        if explain.is_dry_run:
            response |= {"delivery": "", "dry_run": True}
        await _send(send, _encode(response), _TRIED if explain.is_dry_run else STATUS)
        return
    responses = delivery.responses
    rows = [
        _Routed(row.alert.fingerprint, row.incident_key, responses[row.response].rule)
        if row.response >= 0
        else _Ignored(row.alert.fingerprint, row.ignored)
        for row in delivery.rows
    ]
    body = _encode(_Accepted(delivery.id, rows, parsed.truncated, notices=_notices(parsed), **rejections))
    await _send(send, body)


async def send_reply(send: problems.Send, body: Mapping[str, Any], status: int = STATUS) -> None:
    """Send the response that clients of this kind of source expect."""
    await _send(send, _encode(body), status)


async def send_unparsable(send: problems.Send, kind: base.Kind, error: base.Unparsable, quarantine_id: str) -> None:
    """Respond to a body that is quarantined as unreadable. Raises ``problems.Problem`` if the status isn't 202."""
    # After a 4xx, some senders drop the alert, disable the webhook, or repeat the delivery forever.
    if kind.unparsable_status == STATUS:
        content = {"alerts": [], "quarantined": quarantine_id, "where": error.where, "problem": error.problem}
        await _send(send, _encode(content))
        return
    raise problems.Problem(
        kind.unparsable_status,
        "unparsable",
        f"{error}. The body is in the quarantine as {quarantine_id}. "
        "After a fix, run `incident-router quarantine retry`",
        where=error.where,
        problem=error.problem,
        quarantined=quarantine_id,
    )


async def send_duplicate(send: problems.Send, earlier: str) -> None:
    """Send 202 for a repeated delivery, with the ID of the first one."""
    await _send(send, _encode({"delivery": earlier, "duplicate": True, "alerts": []}))


async def send_confirmation(send: problems.Send, topic: str) -> None:
    """Send 202 after confirming a subscription."""
    await _send(send, _encode({"alerts": [], "about": {"no_alert": "the subscription is confirmed", "topic": topic}}))


async def _send(send: problems.Send, body: bytes, status: int = STATUS) -> None:
    headers = [_CONTENT_TYPE, (b"content-length", b"%d" % len(body))]
    await send({"type": _START, "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _format_rejection(parsed: base.Parsed, quarantine_id: str) -> dict[str, str]:
    rejected = parsed.rejected
    return (
        {} if rejected is None else {"quarantined": quarantine_id, "where": rejected.where, "problem": rejected.problem}
    )


def _key(row: deliveries.Row, place: ports.Placement | None) -> str:
    return row.incident_key if place is None else place.incident_key


def _muted_by(place: ports.Placement | None) -> str:
    return place.mute.by if place is not None and place.mute is not None else ""


def _explain(
    delivery: deliveries.Delivery,
    parsed: base.Parsed,
    places: Sequence[ports.Placement | None],
    public: frozenset[str],
) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "source": delivery.source,
        "alerts": [
            _explain_row(delivery, row, place, public) for row, place in zip(delivery.rows, places, strict=True)
        ],
        "truncated": parsed.truncated,
        "about": parsed.about,
        "notices": _notices(parsed),
    }


def _notices(parsed: base.Parsed) -> tuple[dict[str, Any], ...]:
    return tuple(msgspec.structs.asdict(notice) for notice in parsed.notices)


def _explain_row(
    delivery: deliveries.Delivery, row: deliveries.Row, place: ports.Placement | None, public: frozenset[str]
) -> dict[str, Any]:
    alert = row.alert
    response_row = {
        "fingerprint": alert.fingerprint,
        "status": alert.status,
        "title": alert.title,
        "test": alert.is_test,
    }
    if row.response < 0:
        return {**response_row, "ignored": row.ignored}
    response = delivery.responses[row.response]
    return {
        **response_row,
        "incident_key": _key(row, place),
        "decided_incident_key": row.incident_key,
        "muted_by": _muted_by(place),
        "rule": response.rule,
        "place": response.place,
        "rules_version": response.version,
        "owner": response.owner,
        "runbook": response.runbook,
        "severity": row.severity.word,
        "because": [
            {
                "rule": because.rule,
                "place": because.place,
                "asked": [f"{field} {words}".lstrip() for field, words in because.asked],
            }
            for because in response.because
        ],
        "targets": [
            {"destination": target.destination, "publish": target.publish, "public": target.destination in public}
            for target in response.targets
        ],
    }
