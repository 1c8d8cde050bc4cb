"""Builds the models of the API and the console from domain objects."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from router.bootstrap import current_alerts, dead_letters
from router.domain import access, deliveries, identity, incident_reminders, incidents, publications, recordings
from router.domain.times import Timestamp
from router.rules import explain
from router.services import models, resources
from router.store import dataset, quarantine
from router.worker import desired_state, reviews
from router.yaml_source import quantities

Order = tuple[bool, int, int, str]
Place = TypeVar("Place")
_place: Callable[[bytes], Order] = msgspec.json.Decoder(Order).decode
_letter_place: Callable[[bytes], dead_letters.Place] = msgspec.json.Decoder(dead_letters.Place).decode
_INVALID_CURSOR = "is not what `next` was"
_STREAMED = re.compile(r"\d{1,19}-\d{1,19}")
_MOST_ALERTS = 500  # Alerts of one incident that are listed. The incident's count includes the others.


def incident_row(
    one: incidents.Incident,
    known: Iterable[publications.Publication] = (),
    *,
    is_awaited: bool = False,
    is_unreadable: bool = False,
) -> models.IncidentRow:
    """Convert an incident and its publications to a list row.

    ``is_awaited`` is true if a publication waits for a reviewer, ``is_unreadable`` if the publications can't be read.
    """
    unreadable: list[models.Problem] = ["unreadable"] if is_unreadable else []
    return models.IncidentRow(
        key=one.key,
        reference=identity.reference(one.episode) if one.episode else "",
        status=one.status,
        severity=one.severity.word,
        title=one.opening_alert.title if one.opening_alert is not None else "",
        rule=one.response.rule if one.response is not None else "",
        firing=one.still_fires,
        opened_at=models.at(one.opened_at or one.pending_since),
        closed_at=models.at(Timestamp(one.closed_at if one.status == "closed" else 0)),
        changed_at=models.at(one.changed_at),
        destinations=[target.destination for target in one.response.targets] if one.response is not None else [],
        muted=len(one.muted),
        problems=unreadable + problems(one, known, is_awaited=is_awaited),
        test=one.opening_alert is not None and one.opening_alert.is_test,
        acknowledgement=acknowledgement(one),
    )


def acknowledgement(one: incidents.Incident) -> models.Acknowledgement | None:
    """Convert the active acknowledgement to its model. Return None if the incident isn't acknowledged."""
    held = one.acknowledged
    if held is None:
        return None
    return models.Acknowledgement(
        by=held.name,
        at=models.at(held.at),
        reason=held.reason,
        destination=held.destination,
        stale_at=models.at(incident_reminders.stale_at(one)),
    )


def problems(
    one: incidents.Incident, known: Iterable[publications.Publication], *, is_awaited: bool
) -> list[models.Problem]:
    """Return what keeps an incident's destinations from the state that its rule asks for, the worst problem first."""
    known = list(known)
    current = [each for each in known if desired_state.is_current(one, each, known) and not each.settled]
    holds: dict[models.Problem, bool] = {
        "dead_letter": any(each.dead and one.abandoned.get(each.name, 0) <= each.rejected_at for each in current),
        "not_found": any(each.gone for each in current),
        "awaiting_review": is_awaited,
        "retrying": any(each.condition and not each.dead for each in current),
        "frozen": any(each.frozen_since for each in known),
        "queued": any(each.held_since and not each.admitted for each in current),
        "taken_over": any(bool(each.taken_over) for each in current),
    }
    return [problem for problem, does_hold in holds.items() if does_hold]


def muted_alert(key: str, one: incidents.Muted) -> resources.Muted:
    """Return the model of a muted alert of the incident with this key."""
    routed = one.routed
    return resources.Muted(
        alert=routed.alert.identity,
        title=routed.alert.title,
        severity=routed.decision.severity.word,
        incident=key,
        kind=one.kind,
        muted_by=one.by,
        starts_at=models.at(routed.alert.starts_at),
        until=models.at(one.until),
    )


def review(one: reviews.Review) -> models.Review:
    """Return the model of a review."""
    told = one._asdict() | {"title": one.title, "message": one.message, "because": list(one.because)}
    told |= {"before": dict(one.before), "fields": dict(one.fields), "shown": dict(one.shown)}
    told |= {"components": dict(one.components), "at_vendor": dict(one.at_vendor), "later": dict(one.later)}
    told |= {"since": models.at(one.since), "deadline_at": models.at(one.deadline_at)}
    told |= {"began_at": models.at(one.began_at), "ended_at": models.at(one.ended_at)}
    told["reference"] = identity.reference(one.episode)
    if one.take is not None:
        told |= {"taken_by": one.take.who, "taken_at": models.at(one.take.at), "taken_until": models.at(one.take.until)}
    for inner in ("episode", "view_digest", "retraction", "asked", "publication", "take"):
        del told[inner]
    return models.Review(**told)


def explanation(one: explain.Explanation) -> dict[str, Any]:
    """Return an explanation as JSON data."""
    alert = msgspec.structs.asdict(one.alert)
    timed = {key: quantities.shown(value) for key, value in msgspec.structs.asdict(one.timing).items() if value}
    return {**msgspec.to_builtins(one), "alert": alert, "timing": timed}


def is_selected(one: incidents.Incident, status: str, severity: str, text: str) -> bool:
    """Return whether an incident matches the filter. ``text`` is in lower case."""
    if status == "open" and one.status == "closed":
        return False
    if status in {"pending", "closed"} and one.status != status:
        return False
    if severity and one.severity.word != severity:
        return False
    return not text or any(text in said.lower() for said in _searchable_texts(one))


def _searchable_texts(one: incidents.Incident) -> Iterable[str]:
    yield one.key
    if one.episode:
        yield identity.reference(one.episode)
    if one.response is not None:
        yield one.response.rule
    if one.opening_alert is not None:
        yield one.opening_alert.title
        yield from (f"{name}={value}" for name, value in one.opening_alert.labels.items())


def sort_key(one: incidents.Incident) -> Order:
    """Return the sort key of an incident: incidents that aren't closed first, by descending severity."""
    return (one.status == "closed", -one.severity, -max(one.closed_at, one.opened_at), one.key)


def cursor(one: incidents.Incident) -> str:
    """Return the position of an incident in the sort order, as text. It stays valid if the incident moves."""
    return _cursor(sort_key(one))


def read_cursor(cursor: str) -> Order:
    """Return the position of an incident that a cursor represents. Raises ``ValueError`` if it is invalid."""
    return _read(_place, cursor)


def dead_letter_cursor(one: dead_letters.DeadLetter) -> str:
    """Return the position of a dead letter among all dead letters, as text."""
    return _cursor((one.since, one.id))


def read_dead_letter_cursor(cursor: str) -> dead_letters.Place:
    """Return the position of a dead letter that a cursor represents. Raises ``ValueError`` if it is invalid."""
    found = _read(_letter_place, cursor)
    if found[1][:1].isdigit() and not _STREAMED.fullmatch(found[1]):
        raise ValueError(_INVALID_CURSOR)
    return found


def _cursor(place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read(decode: Callable[[bytes], Place], cursor: str) -> Place:
    try:
        return decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except msgspec.MsgspecError as error:
        raise ValueError(_INVALID_CURSOR) from error


def dead_letter(one: dead_letters.DeadLetter) -> resources.DeadLetter:
    """Return the model of a dead letter."""
    return resources.DeadLetter(
        id=one.id,
        what=one.what,
        problem=one.problem,
        since=models.at(one.since),
        incident=one.incident,
        **models.text(one.body)._asdict(),
    )


def orphan(one: dataset.Orphan) -> resources.Orphan:
    """Return the model of an open item that belongs to no known incident."""
    return resources.Orphan(
        id=one.id,
        destination=one.destination,
        vendor_id=one.item.vendor_id,
        reference=one.item.reference,
        title=one.item.title,
        url=one.item.url,
        opened_at=models.at(one.item.opened_at),
    )


def alert_rows(one: incidents.Incident) -> list[models.AlertRow]:
    """Return the alerts of an incident, firing alerts first, at most ``_MOST_ALERTS``."""
    found = [
        models.AlertRow(
            identity=name,
            firing=not state.resolved,
            severity=state.severity.word,
            starts_at=models.at(state.starts_at),
            ends_at=models.at(state.ends_at),
        )
        for name, state in one.alerts.items()
    ]
    found += [
        models.AlertRow(
            identity=name,
            firing=True,
            severity=muted.routed.decision.severity.word,
            starts_at=models.at(muted.routed.alert.starts_at),
            ends_at=None,
            muted_by=muted.by,
        )
        for name, muted in one.muted.items()
    ]
    found.sort(key=lambda one: (not one.firing, one.identity))
    return found[:_MOST_ALERTS]


def timing_text(name: str, value: int) -> str:
    """Return one of a rule's times as text."""
    return str(value) if name == "flap_changes" else quantities.shown(value)


def delivery_row(one: deliveries.Delivery) -> models.DeliveryRow:
    """Return a delivery as a list row."""
    return models.DeliveryRow(
        id=one.id,
        source=one.source,
        received_at=models.at(one.received_at),
        alerts=len(one.rows),
        ignored=sum(decided.response < 0 for decided in one.rows),
        rules=sorted({one.responses[decided.response].rule for decided in one.rows if decided.response >= 0}),
    )


def precision(outcomes: Mapping[str, int]) -> float | None:
    """Return the share of reviewed posts that were approved without changes; None if no post was reviewed.

    A retraction counts as a decision, even if another person approved the post before.
    """
    approved = outcomes.get("approved", 0)
    decided = approved + sum(outcomes.get(name, 0) for name in ("edited", "dismissed", "retracted"))
    return approved / decided if decided else None


def recording(one: deliveries.Delivery) -> resources.Recording:
    """Return a delivery for a replay elsewhere: its alerts, without their decisions."""
    return resources.Recording.model_validate_json(recordings.encode(recordings.from_delivery(one)))


def decision(
    one: deliveries.Delivery, decided: deliveries.Row, place: current_alerts.Whereabouts | None = None
) -> models.Decision:
    """Return the model of one alert of a delivery: its decision, and which incident holds it now."""
    alert = decided.alert
    response = one.responses[decided.response] if decided.response >= 0 else None
    return models.Decision(
        fingerprint=alert.fingerprint,
        status=alert.status,
        title=alert.title,
        severity=decided.severity.word if response is not None else "",
        labels=alert.labels,
        annotations=alert.annotations,
        link=alert.link,
        incident_key=decided.incident_key,
        rule=response.rule if response is not None else "",
        place=response.place if response is not None else "",
        destinations=[target.destination for target in response.targets] if response is not None else [],
        ignored=decided.ignored,
        **(whereabouts_of(place) if place is not None else {}),
    )


def whereabouts_of(place: current_alerts.Whereabouts) -> dict[str, Any]:
    """Return which incident holds an alert of a delivery now."""
    return {"held_by": place.incident_key, "muted_by": place.muted_by, "is_late": place.is_late}


def quarantined(one: quarantine.Quarantined) -> resources.Quarantined:
    """Return the model of a quarantined body."""
    return resources.Quarantined(
        id=one.id,
        source=one.source,
        problem=one.problem,
        kept_at=models.at(one.kept_at),
        headers=one.headers,
        **models.text(one.body)._asdict(),
    )


def token(one: access.Token) -> resources.TokenRow:
    """Return the model of a token, without its secret."""
    return resources.TokenRow(
        id=one.id,
        name=one.name,
        role=one.role.word,
        created_at=models.at(one.created_at),
        expires_at=models.at(one.expires_at),
    )
