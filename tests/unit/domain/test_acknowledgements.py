"""An acknowledgement lasts for one episode, until it is withdrawn or the severity rises."""

import msgspec
import pytest

from router.domain import acknowledgements, decisions, incidents, publications, reviews, severities, timeline, timing
from tests.unit.domain.test_announcements import (
    CRITICAL,
    EPISODE,
    MAJOR,
    NOW,
    SECOND,
    Announcements,
    make_incident,
    make_publication,
    make_review,
)
from tests.unit.domain.test_fold import fold_alerts, route

MINOR = severities.Severity.MINOR
HOUR = 3600 * SECOND


def make_acknowledgement(severity: severities.Severity = MAJOR, **more) -> acknowledgements.Acknowledgement:
    return acknowledgements.Acknowledgement("ada", NOW, severity, "on it", **more)


def open_incident(level: severities.Severity = MINOR, **changes) -> incidents.Incident:
    opened = fold_alerts(route(level=level))
    acknowledged = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(opened.severity))
    return msgspec.structs.replace(acknowledged, **changes)


def test_worse_severity_ends_the_acknowledgement():
    before = open_incident()
    after = fold_alerts(route("f2", level=CRITICAL), start=before, now=before.opened_at + SECOND)
    assert after.acknowledged is None
    ended = after.interventions.acknowledgement
    assert (ended.ended_cause, ended.who) == ("escalated", "ada")
    texts = [event.text for event in timeline.events_for_change(before, after, [], NOW)]
    assert "The acknowledgement by ada has ended, because the severity was raised." in texts


@pytest.mark.parametrize("level", [MINOR, severities.Severity.INFO])
def test_alert_of_no_worse_severity_keeps_the_acknowledgement(level):
    before = open_incident()
    after = fold_alerts(route("f2", level=level), start=before)
    assert after.acknowledged == before.interventions.acknowledgement


def test_severity_that_returns_keeps_the_acknowledgement():
    follows = decisions.Response("r", "rules/a.yaml:1", "v1", follows_severity=True)
    opened = fold_alerts(route("a", level=MAJOR, response=follows), route("b", level=MINOR, response=follows))
    one = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(MAJOR))
    fallen = fold_alerts(route("a", "resolved", ends_at=200, response=follows), start=one)
    assert fallen.severity == MINOR
    risen = fold_alerts(route("c", level=MAJOR, response=follows), start=fallen)
    assert (risen.severity, risen.acknowledged) == (MAJOR, one.interventions.acknowledgement)


def test_lower_severity_does_not_renew_ended_acknowledgement():
    follows = decisions.Response("r", "rules/a.yaml:1", "v1", follows_severity=True)
    opened = fold_alerts(route("a", level=MINOR, response=follows))
    one = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(MINOR))
    worse = fold_alerts(route("b", level=CRITICAL, response=follows), start=one)
    better = fold_alerts(route("b", "resolved", ends_at=200, level=CRITICAL, response=follows), start=worse)
    assert (better.severity, better.acknowledged) == (MINOR, None)


def test_refired_alert_keeps_the_acknowledgement():
    waits = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(resolve_after=HOUR))
    opened = fold_alerts(route(response=waits))
    one = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(opened.severity))
    quiet = fold_alerts(route(status="resolved", ends_at=200, response=waits), start=one)
    again = fold_alerts(route(starts_at=300, response=waits), start=quiet, now=one.opened_at + SECOND)
    assert (quiet.status, again.episode, again.acknowledged) == ("open", one.episode, one.interventions.acknowledgement)


def test_reopened_incident_is_not_acknowledged():
    reopens = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(reopen_within=HOUR))
    opened = fold_alerts(route(response=reopens))
    one = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(opened.severity))
    over = fold_alerts(route(status="resolved", ends_at=200, response=reopens), start=one)
    assert over.acknowledged is None
    assert over.interventions.acknowledgement == one.interventions.acknowledgement
    again = fold_alerts(route(starts_at=300, response=reopens), start=over, now=one.opened_at + SECOND, episode="e2")
    assert (again.status, again.follows, again.interventions.acknowledgement) == ("open", "e1", None)


def test_elapsed_time_keeps_the_acknowledgement():
    stale = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(stale_after=HOUR))
    opened = fold_alerts(route("a", response=stale), route("b", response=stale, received_at=NOW))
    one = incidents.with_interventions(opened, acknowledgement=make_acknowledgement(opened.severity))
    assert (
        timing.apply_timers(one, now=one.opened_at + SECOND, episode="e2").acknowledged
        == one.interventions.acknowledgement
    )


def test_acknowledgement_is_announced_once():
    announcements = Announcements()
    announcements.look(make_incident())
    incident = make_incident(acknowledgement=make_acknowledgement())
    (event,) = announcements.events(incident, after=SECOND)
    assert (event.by, event.reason, event.incident.acknowledged_by) == ("ada", "on it", "ada")
    assert event.incident.acknowledged_at is not None
    assert announcements.look(incident, after=SECOND) == []


def test_acknowledgement_at_vendor_names_the_destination():
    announcements = Announcements()
    announcements.look(make_incident())
    at_vendor = acknowledgements.Acknowledgement("", NOW, MAJOR, destination="on-call")
    (event,) = announcements.events(make_incident(acknowledgement=at_vendor))
    assert (event.by, event.destination) == ("a responder at on-call", "on-call")


def test_withdrawal_and_next_acknowledgement_are_announced():
    announcements = Announcements()
    announcements.look(make_incident())
    announcements.look(make_incident(acknowledgement=make_acknowledgement()))
    ended = make_acknowledgement(
        ended_at=NOW + SECOND, ended_cause="withdrawn", ended_by="bob", ended_reason="not mine"
    )
    (event,) = announcements.events(make_incident(acknowledgement=ended), after=SECOND)
    assert (event.cause, event.by, event.reason, event.incident.acknowledged_by) == ("withdrawn", "bob", "not mine", "")
    second = acknowledgements.Acknowledgement("bob", NOW + 2 * SECOND, MAJOR)
    assert announcements.look(make_incident(acknowledgement=second), after=SECOND) == ["incident.acknowledged"]


def test_acknowledgement_ended_between_comparisons_is_fully_announced():
    announcements = Announcements()
    announcements.look(make_incident())
    ended = make_acknowledgement(ended_at=NOW + SECOND, ended_cause="escalated")
    found = announcements.look(make_incident(severity=CRITICAL, acknowledgement=ended), after=SECOND)
    assert found == ["incident.escalated", "incident.acknowledged", "incident.unacknowledged"]


def test_next_episode_announces_its_own_acknowledgement():
    announcements = Announcements()
    announcements.look(make_incident(acknowledgement=make_acknowledgement()))
    again = make_incident(episode="e2", opened_at=NOW + SECOND, acknowledgement=make_acknowledgement())
    assert announcements.look(again) == ["incident.resolved", "incident.opened", "incident.acknowledged"]


def make_reminding_incident(**changes) -> incidents.Incident:
    incident = make_incident(**changes)
    reminders = decisions.Reminders(remind_every=600 * SECOND)
    return msgspec.structs.replace(incident, response=msgspec.structs.replace(incident.response, reminders=reminders))


def test_unacknowledged_incident_reminds_until_acknowledged():
    announcements = Announcements()
    assert announcements.look(make_reminding_incident()) == ["incident.opened"]
    assert announcements.due == NOW + 600 * SECOND
    assert announcements.look(make_reminding_incident(), after=600 * SECOND) == ["incident.reminded"]
    assert announcements.look(make_reminding_incident(acknowledgement=make_acknowledgement()), after=SECOND) == [
        "incident.acknowledged"
    ]
    assert (
        announcements.due,
        announcements.look(make_reminding_incident(acknowledgement=make_acknowledgement()), after=HOUR),
    ) == (0, [])


def test_late_announcement_sends_no_reminder():
    announcements = Announcements()
    assert announcements.look(make_reminding_incident(), after=700 * SECOND) == ["incident.opened"]
    assert announcements.look(make_reminding_incident(), after=SECOND) == []


def make_takes(until: int, who: str = "ada", at: int = NOW, **more) -> dict[str, reviews.Take]:
    return {f"{EPISODE}/page": reviews.Take(who, at, until, **more)}


def test_expired_take_is_announced_as_released():
    told, post = Announcements(), make_publication(review=publications.PendingReview("d1", NOW))
    told.look(make_incident(), post, reviews=[make_review()])
    mine = make_incident(takes=make_takes(NOW + 900 * SECOND))
    (event,) = told.events(mine, post, reviews=[make_review()])
    assert event.by == "ada"
    assert told.look(mine, post, reviews=[make_review()], after=899 * SECOND) == []
    assert told.look(mine, post, reviews=[make_review()], after=2 * SECOND) == ["review.released"]
    assert told.look(mine, post, reviews=[make_review()], after=2 * SECOND) == []


def test_released_event_names_the_reviewer():
    told, post = Announcements(), make_publication(review=publications.PendingReview("d1", NOW))
    told.look(make_incident(takes=make_takes(NOW + HOUR)), post, reviews=[make_review()])
    released = make_incident(takes=make_takes(NOW + SECOND, released_by="bob"))
    (event,) = told.events(released, post, reviews=[make_review()], after=SECOND)
    assert event.by == "bob"


def test_decision_ends_a_take_without_a_release():
    told, post = Announcements(), make_publication(review=publications.PendingReview("d1", NOW))
    told.look(make_incident(takes=make_takes(NOW + HOUR)), post, reviews=[make_review()])
    verdict = reviews.Verdict("approved", "bob", NOW + SECOND, "d1")
    assert told.look(make_incident(verdicts={"page": verdict}), post) == ["review.decided"]


def test_take_pauses_reminders_and_escalation():
    told, post = Announcements(), make_publication(review=publications.PendingReview("d1", NOW))
    target = decisions.Target("page", escalate_after=600 * SECOND, escalate_to=("leads",), remind_every=300 * SECOND)
    response = decisions.Response("r", "rules/a.yaml:3", "v1", (target,))
    told.look(make_incident(response=response), post, reviews=[make_review()])
    mine = make_incident(response=response, takes=make_takes(NOW + 900 * SECOND))
    assert told.look(mine, post, reviews=[make_review()], after=SECOND) == ["review.taken"]
    assert told.due == NOW + 900 * SECOND
    assert told.look(mine, post, reviews=[make_review()], after=700 * SECOND) == []
    assert told.look(mine, post, reviews=[make_review()], after=200 * SECOND) == ["review.released", "review.escalated"]
