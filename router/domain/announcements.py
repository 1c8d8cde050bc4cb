"""Compares an incident with what was announced about it before, and returns the events in between.

Events are derived from state, as operations are: the announced state is stored, and each look at an incident announces
the difference. A crash loses no event, since the next look finds the same difference. Several changes between two looks
are one event: an incident that opened and escalated is announced once, with its highest severity.

Example: an incident opens, one page publishes at once, and another one waits for a reviewer.

| look | state | announced before | events |
| --- | --- | --- | --- |
| before the vendor calls | open, two publications absent | nothing | ``incident.opened`` |
| after the vendor calls | ``status`` open, ``eu`` waits | open | ``incident.published``, ``review.waiting`` |
| the next one | the same | the same | none |
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from router.domain import (
    events,
    identity,
    incident_reminders,
    incidents,
    inhibition,
    publications,
    review_reminders,
    severities,
    times,
    timing,
)
from router.domain.reviews import Take
from router.domain.times import Duration, Timestamp

SPACING = Duration(30 * times.SECOND)
"""Microseconds between two announcements of an incident if the later one has minor events only."""
BASELINE = times.HOUR
"""Microseconds after which an incident that was never announced counts as announced.

Otherwise the first notifier of an installation would announce every incident that is open, however old.
"""
_MINOR = (events.IncidentEscalated, events.IncidentUpdated, events.ReviewChanged)


class AnnouncedPublication(msgspec.Struct, frozen=True, array_like=True):
    """The announced state of a publication.

    ``content`` is the digest of the content that was sent, ``failed`` the digest of the operation that was refused.
    ``delayed`` says that its failover was announced.
    """

    state: str = "absent"
    content: str = ""
    edited: str = ""
    failed: str = ""
    delayed: bool = False


class Announced(msgspec.Struct, frozen=True, array_like=True):
    """The announced state of an incident.

    ``publications`` are by the publication's name, ``reviews`` are the digests that wait, by destination. ``verdicts``
    and ``retractions`` are the times of the newest decisions, by destination. ``at`` is when the last event was
    announced. ``reminders`` are the reminders that reviewers received, by destination, and ``reminder`` those about the
    incident. ``acknowledged_at`` is the time of its newest acknowledgement, ``unacknowledged_at`` when that ended.
    ``takes`` are those of the reviews that are taken, by destination.
    """

    episode: str = ""
    status: str = "closed"
    severity: severities.Severity = severities.Severity.INFO
    publications: dict[str, AnnouncedPublication] = {}
    reviews: dict[str, str] = {}
    verdicts: dict[str, int] = {}
    at: Timestamp = Timestamp(0)
    retractions: dict[str, int] = {}
    reminders: dict[str, review_reminders.Reminder] = {}
    acknowledged_at: Timestamp = Timestamp(0)
    unacknowledged_at: Timestamp = Timestamp(0)
    reminder: review_reminders.Reminder | None = None
    takes: dict[str, Take] = {}


@dataclass(frozen=True)
class ObservedIncident:
    """The state of an incident now. ``reviews`` are those that wait; ``public`` names the public destinations."""

    incident: incidents.Incident
    publications: Collection[publications.Publication]
    reviews: Mapping[str, events.Review]
    public: Collection[str]


@dataclass(frozen=True)
class Announcement:
    """The events to announce now, and ``after``, the announced state to store; None if it hasn't changed.

    ``due`` is the time of the next check of the incident, in microseconds since the epoch; 0 for never.
    """

    after: Announced | None = None
    found: tuple[events.Event, ...] = ()
    due: int = 0


def announce(before: Announced | None, observed: ObservedIncident, now: Timestamp) -> Announcement:
    """Return the events between the announced state and the state now.

    Minor events alone wait until ``SPACING`` has passed since the last announcement.
    """
    incident = observed.incident
    if inhibition.is_key(incident.key) or incident.response is None or not incident.episode:
        return Announcement()
    since = before if before is not None else _baseline(_state(observed, now), incident, now)
    is_same = since.episode == incident.episode
    reminded = review_reminders.remind(since.reminders, _waiting_reviews(observed, now), about(incident), now)
    pending = incident_reminders.remind(since.reminder if is_same else None, incident, about(incident), now)
    after = msgspec.structs.replace(_state(observed, now), reminders=dict(reminded.after), reminder=pending.after)
    new_events = [*_events(since, observed, now), *_unless_new(reminded.found, since)]
    # An incident that is announced only now needs no reminder.
    if pending.found is not None and is_same:
        new_events.append(pending.found)
    ends = (take.until for take in after.takes.values())
    next_at = min(filter(None, (reminded.due, pending.due, *ends)), default=0)
    if not new_events:
        # Store the state of an old incident on the first check. Otherwise the next check would count as the first one
        # again.
        return Announcement(after if before is None else None, due=next_at)
    due = since.at + SPACING
    # The clock may have been set back since: no announcement waits longer than one spacing.
    if all(isinstance(event, _MINOR) for event in new_events) and now < due <= now + SPACING:
        return Announcement(due=min(due, next_at or due))
    return Announcement(msgspec.structs.replace(after, at=now), tuple(new_events), next_at)


def _unless_new(reminders: Iterable[events.Event], before: Announced) -> Iterator[events.Event]:
    """Remove reminders of reviews that are announced only now."""
    for event in reminders:
        if not isinstance(event, events.ReviewReminded) or event.review.destination in before.reviews:
            yield event


def recipients(before: Announced | None, incident: incidents.Incident, event: events.Event) -> tuple[str, ...]:
    """Return the notifiers that the incident's rules name for an event, beside those that the settings subscribe.

    Once a review is escalated, they include the notifiers in ``escalate_to`` until the review is decided.
    """
    response = incident.response
    if response is None:
        return ()
    review = getattr(event, "review", None)
    destination = review.destination if review is not None else getattr(event, "destination", "")
    reminder = before.reminders.get(destination) if before is not None else None
    is_escalated = isinstance(event, events.ReviewEscalated) or (reminder is not None and reminder.is_escalated)
    if events.topic_of(event) != "reviews" or not is_escalated:
        return response.notify
    added = (name for target in response.targets if target.destination == destination for name in target.escalate_to)
    return tuple(dict.fromkeys((*response.notify, *added)))


def _waiting_reviews(observed: ObservedIncident, now: Timestamp) -> Iterator[review_reminders.Waiting]:
    """Return the reviews that wait, each with its rule, since when it waits, and until when it is taken."""
    takes = _takes(observed, now)
    response = observed.incident.response
    targets = {one.destination: one for one in response.targets} if response is not None else {}
    for publication in observed.publications:
        review, target = observed.reviews.get(publication.destination), targets.get(publication.destination)
        if review is not None and target is not None and publication.review is not None:
            take = takes.get(publication.destination)
            yield review_reminders.Waiting(
                review, target, publication.review.since, Timestamp(take.until if take is not None else 0)
            )


def _takes(observed: ObservedIncident, now: Timestamp) -> dict[str, Take]:
    """Return the takes of the waiting reviews whose time isn't up, by destination."""
    takes = {}
    for publication in observed.publications:
        take = observed.incident.interventions.takes.get(publication.name)
        if take is not None and publication.destination in observed.reviews and now < take.until:
            takes[publication.destination] = take
    return takes


def about(incident: incidents.Incident) -> events.Incident:
    """Return the description of the incident in an event."""
    response, alert, acknowledgement = incident.response, incident.opening_alert, incident.acknowledged
    assert response is not None and alert is not None  # noqa: S101, PT018 - what has an episode was opened by an alert
    return events.Incident(
        incident.key,
        identity.reference(incident.episode),
        alert.title or alert.identity,
        incident.severity.word,
        "open" if incident.status == "open" else "closed",
        times.to_datetime(incident.opened_at),
        incident.still_fires,
        response.rule,
        response.owner,
        response.runbook,
        times.to_datetime(acknowledgement.at) if acknowledgement is not None else None,
        acknowledgement.name if acknowledgement is not None else "",
    )


def _state(observed: ObservedIncident, now: Timestamp) -> Announced:
    incident, acknowledgement = observed.incident, observed.incident.interventions.acknowledgement
    return Announced(
        incident.episode,
        incident.status,
        incident.severity,
        {publication.name: _publication(publication) for publication in observed.publications},
        {destination: review.digest for destination, review in observed.reviews.items()},
        {destination: verdict.at for destination, verdict in incident.interventions.verdicts.items()},
        retractions={name: retraction.at for name, retraction in incident.interventions.retractions.items()},
        acknowledged_at=Timestamp(acknowledgement.at if acknowledgement is not None else 0),
        unacknowledged_at=Timestamp(acknowledgement.ended_at if acknowledgement is not None else 0),
        takes=_takes(observed, now),
    )


def _publication(publication: publications.Publication) -> AnnouncedPublication:
    rejection, delay = publication.rejection, publication.delay
    failed = f"{rejection.operation}/{rejection.at}" if rejection is not None else ""
    is_delayed = delay is not None and delay.announced_at is not None
    return AnnouncedPublication(publication.state, publication.digest, publication.taken_over, failed, is_delayed)


def _baseline(after: Announced, incident: incidents.Incident, now: Timestamp) -> Announced:
    """Return the announced state to assume for an incident without one: empty, unless the incident is old.

    Waiting reviews are announced however old they are, because a reviewer has to decide.
    """
    if now - incident.opened_at <= BASELINE:
        return Announced()
    return msgspec.structs.replace(after, reviews={})


def _events(before: Announced, observed: ObservedIncident, now: Timestamp) -> Iterator[events.Event]:
    incident = observed.incident
    if before.episode != incident.episode:
        if before.status == "open":
            # The end of the previous episode was never seen. That episode ended when this one opened at the latest.
            yield _resolved_before(before, incident)
        yield from _opened_events(incident)
        before = Announced(
            incident.episode,
            "open",
            incident.severity,
            before.publications,
            at=before.at,
            retractions=before.retractions,
        )
    elif before.status != "open" and incident.status == "open":
        yield from _opened_events(incident)
    if incident.severity > before.severity:
        yield events.IncidentEscalated(about(incident), before.severity.word)
    yield from _acknowledgement_events(before, incident)
    yield from _publication_events(before, observed)
    yield from _review_events(before, observed, now)
    yield from _take_events(before, observed, now)
    if before.status == "open" and incident.status != "open":
        yield events.IncidentResolved(about(incident), times.to_datetime(incident.closed_at or now))


def _acknowledgement_events(before: Announced, incident: incidents.Incident) -> Iterator[events.Event]:
    acknowledgement = incident.interventions.acknowledgement
    if acknowledgement is None:
        return
    is_new = acknowledgement.at != before.acknowledged_at
    if is_new:
        yield events.IncidentAcknowledged(
            about(incident), acknowledgement.name, acknowledgement.reason, acknowledgement.destination
        )
    if acknowledgement.ended_cause and (is_new or not before.unacknowledged_at):
        yield events.IncidentUnacknowledged(
            about(incident), acknowledgement.ended_cause, acknowledgement.ended_by, acknowledgement.ended_reason
        )


def _take_events(before: Announced, observed: ObservedIncident, now: Timestamp) -> Iterator[events.Event]:
    """Compare takes. A take that ends with its review is part of ``review.decided``."""
    incident, takes = observed.incident, _takes(observed, now)
    for destination, review in sorted(observed.reviews.items()):
        was, take = before.takes.get(destination), takes.get(destination)
        if take is not None and (was is None or take.at != was.at):
            yield events.ReviewTaken(about(incident), review, take.who)
        elif was is not None and take is None and _is_undecided(before, incident, destination):
            yield events.ReviewReleased(about(incident), review, _released_by(observed, destination))


def _is_undecided(before: Announced, incident: incidents.Incident, destination: str) -> bool:
    """Return whether no reviewer has decided on the review that was announced."""
    verdict = incident.interventions.verdicts.get(destination)
    return destination in before.reviews and (verdict.at if verdict else None) == before.verdicts.get(destination)


def _released_by(observed: ObservedIncident, destination: str) -> str:
    takes = observed.incident.interventions.takes
    names = (publication.name for publication in observed.publications if publication.destination == destination)
    return next((takes[name].released_by for name in names if name in takes), "")


def _opened_events(incident: incidents.Incident) -> Iterator[events.Event]:
    follows = identity.reference(incident.follows) if incident.follows else ""
    yield events.IncidentOpened(about(incident), follows)
    interval = timing.timing_of(incident).heartbeat
    if interval:
        last = times.to_datetime(incident.last_heartbeat_at) if incident.last_heartbeat_at else None
        yield events.HeartbeatMissed(about(incident), interval // 1_000_000, last)


def _resolved_before(before: Announced, incident: incidents.Incident) -> events.Event:
    ended = events.Incident(
        incident.key,
        identity.reference(before.episode),
        about(incident).title,
        before.severity.word,
        "closed",
        times.to_datetime(incident.opened_at),
        rule=about(incident).rule,
    )
    return events.IncidentResolved(ended, times.to_datetime(incident.opened_at))


def _publication_events(before: Announced, observed: ObservedIncident) -> Iterator[events.Event]:
    """Compare publications. Those that end together with their incident are part of ``incident.resolved``."""
    published: list[events.Publication] = []
    updated: list[events.Publication] = []
    for publication in observed.publications:
        was, is_now = before.publications.get(publication.name, AnnouncedPublication()), _publication(publication)
        changed_publication = events.Publication(
            publication.destination,
            publication.state,
            publication.destination in observed.public,
            publication.url,
            publication.taken_over,
        )
        if was.state != "open" and is_now.state == "open":
            published.append(changed_publication)
        elif _is_update(was, publication, observed.incident):
            updated.append(changed_publication)
        if is_now.failed and is_now.failed != was.failed:
            yield events.OperationFailed(about(observed.incident), publication.destination, publication.refusal)
        yield from _delay_events(was, publication, observed)
    lowered = before.severity.word if observed.incident.severity < before.severity else ""
    if published:
        yield events.IncidentPublished(about(observed.incident), tuple(published))
    if updated or lowered:
        yield events.IncidentUpdated(about(observed.incident), tuple(updated), lowered)


def _delay_events(
    was: AnnouncedPublication, publication: publications.Publication, observed: ObservedIncident
) -> Iterator[events.Event]:
    """Announce that an opening is delayed, and that it was made at last."""
    if (
        publication.delay is not None
        and publication.delay.announced_at is not None
        and not was.delayed
        and publication.state == "absent"
    ):
        stand_ins = [
            compared_publication.destination
            for compared_publication in observed.publications
            if compared_publication.stands_in_for == publication.destination
        ]
        since = times.to_datetime(publication.delay.since)
        yield events.PublicationDelayed(
            about(observed.incident),
            publication.destination,
            since,
            publication.refusal or publication.problem,
            tuple(stand_ins),
        )
    if was.delayed and was.state == "absent" and publication.state == "open":
        yield events.PublicationRecovered(about(observed.incident), publication.destination, publication.url)


def _is_update(was: AnnouncedPublication, publication: publications.Publication, incident: incidents.Incident) -> bool:
    if publication.taken_over != was.edited:
        return True
    if publication.state == "open":
        return publication.digest != was.content
    # A post of the open episode was taken down. A post that ends with its episode is covered by the end of the
    # incident.
    return was.state == "open" and incident.status == "open" and publication.episode == incident.episode


def _review_events(before: Announced, observed: ObservedIncident, now: Timestamp) -> Iterator[events.Event]:
    incident = observed.incident
    for destination in sorted({*before.reviews, *observed.reviews, *incident.interventions.verdicts}):
        waited, review = before.reviews.get(destination, ""), observed.reviews.get(destination)
        decided = _decided_event(before, observed, destination, now)
        if decided is not None:
            yield decided
            waited = ""
        if review is not None and not waited:
            yield events.ReviewWaiting(about(incident), review)
        elif review is not None and review.digest != waited:
            yield events.ReviewChanged(about(incident), review, waited)


def _decided_event(
    before: Announced, observed: ObservedIncident, destination: str, now: Timestamp
) -> events.ReviewDecided | None:
    """Return how a review ended since the last announcement; None if it still waits, or if there was none."""
    incident = observed.incident
    waited, name = before.reviews.get(destination, ""), f"{incident.episode}/{destination}"
    verdict, retraction = incident.interventions.verdicts.get(destination), incident.interventions.retractions.get(name)
    if verdict is not None and verdict.at != before.verdicts.get(destination):
        outcome: events.ReviewOutcome = verdict.kind
        if verdict.kind == "approved" and (verdict.fields or verdict.ending):
            outcome = "edited"
        digest = waited or verdict.digest
        return events.ReviewDecided(about(incident), destination, outcome, digest, verdict.who, verdict.reason)
    if not waited or destination in observed.reviews:
        return None
    # The decision on a retraction is stored with the retraction and not as a verdict.
    if retraction is not None and name in before.retractions and retraction.at != before.retractions[name]:
        return events.ReviewDecided(about(incident), destination, "approved", waited, retraction.who)
    return events.ReviewDecided(about(incident), destination, _lapsed_outcome(observed, destination, now), waited)


def _lapsed_outcome(observed: ObservedIncident, destination: str, now: Timestamp) -> events.ReviewOutcome:
    """Return how a review ended that no reviewer decided."""
    response = observed.incident.response
    targets = response.targets if response is not None else ()
    target = next((one for one in targets if one.destination == destination), None)
    publication = next((one for one in observed.publications if one.destination == destination), None)
    if target is None or publication is None or not target.deadline:
        return "withdrawn"
    if (
        now
        < (publication.review.since if publication.review is not None else observed.incident.opened_at)
        + target.deadline
    ):
        return "withdrawn"
    return "published_at_deadline" if target.at_deadline == "publish" else "dismissed_at_deadline"
