"""Builds the models of the API and the console from domain objects."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from router.domain import access, deliveries, identity, incident_reminders, incidents, publications, recordings
from router.domain.acknowledgements import Acknowledgement
from router.domain.reviews import Verdict
from router.rules import explain
from router.services import current_alerts, dead_letters, models, resources
from router.store import dataset, quarantine
from router.worker import desired_state, retractions, review_takes, reviews
from router.yaml_source import quantities

Order = tuple[bool, int, int, str]
Place = TypeVar("Place")
_place: Callable[[bytes], Order] = msgspec.json.Decoder(Order).decode
_letter_place: Callable[[bytes], dead_letters.Place] = msgspec.json.Decoder(dead_letters.Place).decode
_INVALID_CURSOR = "is not a cursor from `next`"
_STREAMED = re.compile(r"\d{1,19}-\d{1,19}")
_MAX_ALERTS = 500  # Alerts of one incident that are listed. The incident's count includes the others.


def incident_row(
    incident: incidents.Incident,
    publications_of_incident: Iterable[publications.Publication] = (),
    *,
    is_awaited: bool = False,
    is_unreadable: bool = False,
) -> models.IncidentRow:
    """Convert an incident and its publications to a list row.

    ``is_awaited`` is true if a publication waits for a reviewer, ``is_unreadable`` if the publications can't be read.
    """
    unreadable: list[models.Problem] = ["unreadable"] if is_unreadable else []
    return models.IncidentRow(
        key=incident.key,
        reference=identity.reference(incident.episode) if incident.episode else "",
        status=incident.status,
        severity=incident.severity.word,
        title=incident.opening_alert.title if incident.opening_alert is not None else "",
        rule=incident.response.rule if incident.response is not None else "",
        firing=incident.still_fires,
        # A pending incident hasn't opened, so its row shows the start of its hold.
        opened_at=models.at(incident.opened_at or (incident.hold.pending_since if incident.hold is not None else None)),
        # A reopened incident keeps the time of its last end.
        closed_at=models.at(incident.closed_at if incident.status == "closed" else None),
        changed_at=models.at(incident.changed_at),
        destinations=[target.destination for target in incident.response.targets]
        if incident.response is not None
        else [],
        muted=len(incident.muted),
        problems=unreadable + problems(incident, publications_of_incident, is_awaited=is_awaited),
        test=incident.opening_alert is not None and incident.opening_alert.is_test,
        acknowledgement=acknowledgement(incident),
    )


def acknowledgement(incident: incidents.Incident) -> models.Acknowledgement | None:
    """Convert the active acknowledgement to its model. Return None if the incident isn't acknowledged."""
    acknowledged = incident.acknowledged
    if acknowledged is None:
        return None
    return models.Acknowledgement(
        by=acknowledged.name,
        at=models.at(acknowledged.at),
        reason=acknowledged.reason,
        destination=acknowledged.destination,
        stale_at=models.at(incident_reminders.stale_at(incident)),
    )


def withdrawn_acknowledgement(ended: Acknowledgement) -> models.Acknowledgement:
    """Return the model of an acknowledgement that an operator has withdrawn."""
    return models.Acknowledgement(
        by=ended.name, at=models.at(ended.at), reason=ended.reason, destination=ended.destination
    )


def problems(
    incident: incidents.Incident, publications_of_incident: Iterable[publications.Publication], *, is_awaited: bool
) -> list[models.Problem]:
    """Return what keeps an incident's destinations from the state that its rule asks for, the worst problem first."""
    publications_of_incident = list(publications_of_incident)
    current = [
        each
        for each in publications_of_incident
        if desired_state.is_current(incident, each, publications_of_incident) and not each.settled
    ]
    # The order of the entries is that of the result: the worst problem first.
    holds: dict[models.Problem, bool] = {
        "dead_letter": any(
            # An operator has discarded earlier rejections only. A newer one needs another decision.
            each.rejection is not None and incident.interventions.discarded_at.get(each.name, 0) <= each.rejection.at
            for each in current
        ),
        "not_found": any(each.gone for each in current),
        "awaiting_review": is_awaited,
        # A rejected operation isn't retried until an operator redrives it.
        "retrying": any(each.condition and each.rejection is None for each in current),
        # A freeze also delays the resolution of a closed incident's post, so all publications count.
        "frozen": any(each.frozen_since for each in publications_of_incident),
        "queued": any(each.held_since and not each.admitted for each in current),
        "taken_over": any(bool(each.taken_over) for each in current),
    }
    return [problem for problem, does_hold in holds.items() if does_hold]


def muted_alert(key: str, muted: incidents.Muted) -> resources.Muted:
    """Return the model of a muted alert of the incident with this key."""
    routed = muted.routed
    return resources.Muted(
        alert=routed.alert.identity,
        title=routed.alert.title,
        severity=routed.decision.severity.word,
        incident=key,
        kind=muted.kind,
        muted_by=muted.by,
        starts_at=models.at(routed.alert.starts_at),
        until=models.at(muted.until),
    )


def review(pending: reviews.Review) -> models.Review:
    """Return the model of a review."""
    fields = pending._asdict() | {"title": pending.title, "message": pending.message, "because": list(pending.because)}
    fields |= {"before": dict(pending.before), "fields": dict(pending.fields), "shown": dict(pending.shown)}
    fields |= {
        "components": dict(pending.components),
        "at_vendor": dict(pending.at_vendor),
        "later": dict(pending.later),
    }
    fields |= {"since": models.at(pending.since), "deadline_at": models.at(pending.deadline_at)}
    fields |= {"began_at": models.at(pending.began_at), "ended_at": models.at(pending.ended_at)}
    fields["reference"] = identity.reference(pending.episode)
    if pending.take is not None:
        fields |= {
            "taken_by": pending.take.who,
            "taken_at": models.at(pending.take.at),
            "taken_until": models.at(pending.take.until),
        }
    # The model forbids unknown members, and these fields are internal to the worker.
    for inner in ("episode", "view_digest", "retraction", "asked", "publication", "take"):
        del fields[inner]
    return models.Review(**fields)


def verdict(decision: Verdict, warnings: Sequence[str]) -> models.Decided:
    """Return the model of a verdict, with the warnings about the reviewer's text."""
    return models.Decided(
        kind=decision.kind,
        who=decision.who,
        at=models.at(decision.at),
        digest=decision.digest,
        warnings=list(warnings),
    )


def take(key: str, destination: str, result: review_takes.Taken) -> models.Taken:
    """Return the model of the active take of an incident's review at a destination."""
    return models.Taken(
        incident=key,
        destination=destination,
        by=result.take.who,
        at=models.at(result.take.at),
        until=models.at(result.take.until),
        is_new=result.is_new,
    )


def retraction(result: retractions.Retracted) -> models.Retraction:
    """Return the model of a retraction's outcome for one post."""
    return models.Retraction(
        destination=result.destination, reference=identity.reference(result.episode), outcome=result.outcome
    )


def explanation(result: explain.Explanation) -> dict[str, Any]:
    """Return an explanation as JSON data."""
    alert = msgspec.structs.asdict(result.alert)
    timed = {
        key: quantities.format_duration(value) for key, value in msgspec.structs.asdict(result.timing).items() if value
    }
    return {**msgspec.to_builtins(result), "alert": alert, "timing": timed}


def is_selected(incident: incidents.Incident, status: str, severity: str, text: str) -> bool:
    """Return whether an incident matches the filter. ``text`` is in lower case."""
    # "open" selects every incident that isn't closed, so it includes pending incidents.
    if status == "open" and incident.status == "closed":
        return False
    if status in {"pending", "closed"} and incident.status != status:
        return False
    if severity and incident.severity.word != severity:
        return False
    return not text or any(text in searchable_text.lower() for searchable_text in _searchable_texts(incident))


def _searchable_texts(incident: incidents.Incident) -> Iterable[str]:
    yield incident.key
    if incident.episode:
        yield identity.reference(incident.episode)
    if incident.response is not None:
        yield incident.response.rule
    if incident.opening_alert is not None:
        yield incident.opening_alert.title
        yield from (f"{name}={value}" for name, value in incident.opening_alert.labels.items())


def sort_key(incident: incidents.Incident) -> Order:
    """Return the sort key of an incident: incidents that aren't closed first, by descending severity."""
    return (
        incident.status == "closed",
        # Both numbers are negated, so that one ascending sort puts the worst and the newest incidents first.
        -incident.severity,
        -max(incident.closed_at or 0, incident.opened_at),
        incident.key,
    )


def cursor(incident: incidents.Incident) -> str:
    """Return the position of an incident in the sort order, as text. It stays valid if the incident moves."""
    return _cursor(sort_key(incident))


def read_cursor(cursor: str) -> Order:
    """Return the position of an incident that a cursor represents. Raises ``ValueError`` if it is invalid."""
    return _read(_place, cursor)


def dead_letter_cursor(record: dead_letters.DeadLetter) -> str:
    """Return the position of a dead letter among all dead letters, as text."""
    return _cursor((record.since, record.id))


def read_dead_letter_cursor(cursor: str) -> dead_letters.Place:
    """Return the position of a dead letter that a cursor represents. Raises ``ValueError`` if it is invalid."""
    # The ID becomes the start of a range in Redis, which rejects a malformed stream ID with an error.
    position = _read(_letter_place, cursor)
    if position[1][:1].isdigit() and not _STREAMED.fullmatch(position[1]):
        raise ValueError(_INVALID_CURSOR)
    return position


def _cursor(place: tuple[Any, ...]) -> str:
    # Without padding, a cursor needs no escaping in a URL.
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read(decode: Callable[[bytes], Place], cursor: str) -> Place:
    try:
        # The missing padding is restored. An invalid character raises `binascii.Error`, which is a `ValueError`
        # already.
        return decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except msgspec.MsgspecError as error:
        raise ValueError(_INVALID_CURSOR) from error


def dead_letter(letter: dead_letters.DeadLetter) -> resources.DeadLetter:
    """Return the model of a dead letter."""
    return resources.DeadLetter(
        id=letter.id,
        what=letter.what,
        problem=letter.problem,
        since=models.at(letter.since),
        incident=letter.incident,
        **models.text(letter.body)._asdict(),
    )


def orphan(entry: dataset.Orphan) -> resources.Orphan:
    """Return the model of an open item that belongs to no known incident."""
    return resources.Orphan(
        id=entry.id,
        destination=entry.destination,
        vendor_id=entry.item.vendor_id,
        reference=entry.item.reference,
        title=entry.item.title,
        url=entry.item.url,
        opened_at=models.at(entry.item.opened_at),
    )


def alert_rows(incident: incidents.Incident) -> list[models.AlertRow]:
    """Return the alerts of an incident, firing alerts first, at most ``_MAX_ALERTS``."""
    rows = [
        models.AlertRow(
            identity=name,
            firing=not state.resolved,
            severity=state.severity.word,
            starts_at=models.at(state.starts_at),
            ends_at=models.at(state.ends_at),
        )
        for name, state in incident.alerts.items()
    ]
    # A muted alert fires, although it opens nothing, so it is listed among the firing ones.
    rows += [
        models.AlertRow(
            identity=name,
            firing=True,
            severity=muted.routed.decision.severity.word,
            starts_at=models.at(muted.routed.alert.starts_at),
            ends_at=None,
            muted_by=muted.by,
        )
        for name, muted in incident.muted.items()
    ]
    rows.sort(key=lambda alert_row: (not alert_row.firing, alert_row.identity))
    return rows[:_MAX_ALERTS]


def timing_text(name: str, value: int) -> str:
    """Return one of a rule's times as text."""
    # `flap_changes` is a count. All other values are durations in microseconds.
    return str(value) if name == "flap_changes" else quantities.format_duration(value)


def delivery_row(delivery: deliveries.Delivery) -> models.DeliveryRow:
    """Return a delivery as a list row."""
    return models.DeliveryRow(
        id=delivery.id,
        source=delivery.source,
        received_at=models.at(delivery.received_at),
        alerts=len(delivery.rows),
        # An ignored alert has no response, which a delivery stores as -1.
        ignored=sum(decided.response < 0 for decided in delivery.rows),
        rules=sorted({delivery.responses[decided.response].rule for decided in delivery.rows if decided.response >= 0}),
    )


def precision(outcomes: Mapping[str, int]) -> float | None:
    """Return the share of reviewed posts that were approved without changes; None if no post was reviewed.

    A retraction counts as a decision, even if another person approved the post before.
    """
    approved = outcomes.get("approved", 0)
    # Reviews that ended without a person's decision say nothing about the rule's texts.
    decided = approved + sum(outcomes.get(name, 0) for name in ("edited", "dismissed", "retracted"))
    return approved / decided if decided else None


def recording(delivery: deliveries.Delivery) -> resources.Recording:
    """Return a delivery for a replay elsewhere: its alerts, without their decisions."""
    return resources.Recording.model_validate_json(recordings.encode(recordings.from_delivery(delivery)))


def decision(
    delivery: deliveries.Delivery, decided: deliveries.Row, place: current_alerts.Whereabouts | None = None
) -> models.Decision:
    """Return the model of one alert of a delivery: its decision, and which incident holds it now."""
    alert = decided.alert
    response = delivery.responses[decided.response] if decided.response >= 0 else None
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


def quarantined_body(entry: quarantine.Quarantined) -> resources.Quarantined:
    """Return the model of a quarantined body."""
    return resources.Quarantined(
        id=entry.id,
        source=entry.source,
        problem=entry.problem,
        kept_at=models.at(entry.kept_at),
        headers=entry.headers,
        **models.text(entry.body)._asdict(),
    )


def token(record: access.Token) -> resources.TokenRow:
    """Return the model of a token, without its secret."""
    return resources.TokenRow(
        id=record.id,
        name=record.name,
        role=record.role.word,
        created_at=models.at(record.created_at),
        expires_at=models.at(record.expires_at),
    )
