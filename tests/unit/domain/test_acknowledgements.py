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
    Told,
    a_publication,
    a_review,
    an_incident,
)
from tests.unit.domain.test_fold import folded, routed

MINOR = severities.Severity.MINOR
HOUR = 3600 * SECOND


def given(severity: severities.Severity = MAJOR, **more) -> acknowledgements.Acknowledgement:
    return acknowledgements.Acknowledgement("ada", NOW, severity, "on it", **more)


def open_incident(level: severities.Severity = MINOR, **changes) -> incidents.Incident:
    opened = folded(routed(level=level))
    acknowledged = incidents.with_interventions(opened, acknowledgement=given(opened.severity))
    return msgspec.structs.replace(acknowledged, **changes)


def test_worse_severity_ends_the_acknowledgement():
    before = open_incident()
    after = folded(routed("f2", level=CRITICAL), start=before, now=before.opened_at + SECOND)
    assert after.acknowledged is None
    ended = after.interventions.acknowledgement
    assert (ended.ended_cause, ended.who) == ("escalated", "ada")
    texts = [event.text for event in timeline.events_for_change(before, after, [], NOW)]
    assert "The acknowledgement by ada has ended, because the severity was raised." in texts


@pytest.mark.parametrize("level", [MINOR, severities.Severity.INFO])
def test_alert_of_no_worse_severity_keeps_the_acknowledgement(level):
    before = open_incident()
    after = folded(routed("f2", level=level), start=before)
    assert after.acknowledged == before.interventions.acknowledgement


def test_severity_that_returns_keeps_the_acknowledgement():
    follows = decisions.Response("r", "rules/a.yaml:1", "v1", follows_severity=True)
    opened = folded(routed("a", level=MAJOR, response=follows), routed("b", level=MINOR, response=follows))
    one = incidents.with_interventions(opened, acknowledgement=given(MAJOR))
    fallen = folded(routed("a", "resolved", ends_at=200, response=follows), start=one)
    assert fallen.severity == MINOR
    risen = folded(routed("c", level=MAJOR, response=follows), start=fallen)
    assert (risen.severity, risen.acknowledged) == (MAJOR, one.interventions.acknowledgement)


def test_lower_severity_does_not_renew_ended_acknowledgement():
    follows = decisions.Response("r", "rules/a.yaml:1", "v1", follows_severity=True)
    opened = folded(routed("a", level=MINOR, response=follows))
    one = incidents.with_interventions(opened, acknowledgement=given(MINOR))
    worse = folded(routed("b", level=CRITICAL, response=follows), start=one)
    better = folded(routed("b", "resolved", ends_at=200, level=CRITICAL, response=follows), start=worse)
    assert (better.severity, better.acknowledged) == (MINOR, None)


def test_refired_alert_keeps_the_acknowledgement():
    waits = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(resolve_after=HOUR))
    opened = folded(routed(response=waits))
    one = incidents.with_interventions(opened, acknowledgement=given(opened.severity))
    quiet = folded(routed(status="resolved", ends_at=200, response=waits), start=one)
    again = folded(routed(starts_at=300, response=waits), start=quiet, now=one.opened_at + SECOND)
    assert (quiet.status, again.episode, again.acknowledged) == ("open", one.episode, one.interventions.acknowledgement)


def test_reopened_incident_is_not_acknowledged():
    reopens = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(reopen_within=HOUR))
    opened = folded(routed(response=reopens))
    one = incidents.with_interventions(opened, acknowledgement=given(opened.severity))
    over = folded(routed(status="resolved", ends_at=200, response=reopens), start=one)
    assert over.acknowledged is None
    assert over.interventions.acknowledgement == one.interventions.acknowledgement
    again = folded(routed(starts_at=300, response=reopens), start=over, now=one.opened_at + SECOND, episode="e2")
    assert (again.status, again.follows, again.interventions.acknowledgement) == ("open", "e1", None)


def test_elapsed_time_keeps_the_acknowledgement():
    stale = decisions.Response("r", "rules/a.yaml:1", "v1", timing=decisions.Timing(stale_after=HOUR))
    opened = folded(routed("a", response=stale), routed("b", response=stale, received_at=NOW))
    one = incidents.with_interventions(opened, acknowledgement=given(opened.severity))
    assert (
        timing.apply_timers(one, now=one.opened_at + SECOND, episode="e2").acknowledged
        == one.interventions.acknowledgement
    )


def test_acknowledgement_is_announced_once():
    told = Told()
    told.look(an_incident())
    held = an_incident(acknowledgement=given())
    (event,) = told.events(held, after=SECOND)
    assert (event.by, event.reason, event.incident.acknowledged_by) == ("ada", "on it", "ada")
    assert event.incident.acknowledged_at is not None
    assert told.look(held, after=SECOND) == []


def test_acknowledgement_at_vendor_names_the_destination():
    told = Told()
    told.look(an_incident())
    at_vendor = acknowledgements.Acknowledgement("", NOW, MAJOR, destination="on-call")
    (event,) = told.events(an_incident(acknowledgement=at_vendor))
    assert (event.by, event.destination) == ("a responder at on-call", "on-call")


def test_withdrawal_and_next_acknowledgement_are_announced():
    told = Told()
    told.look(an_incident())
    told.look(an_incident(acknowledgement=given()))
    ended = given(ended_at=NOW + SECOND, ended_cause="withdrawn", ended_by="bob", ended_reason="not mine")
    (event,) = told.events(an_incident(acknowledgement=ended), after=SECOND)
    assert (event.cause, event.by, event.reason, event.incident.acknowledged_by) == ("withdrawn", "bob", "not mine", "")
    second = acknowledgements.Acknowledgement("bob", NOW + 2 * SECOND, MAJOR)
    assert told.look(an_incident(acknowledgement=second), after=SECOND) == ["incident.acknowledged"]


def test_acknowledgement_ended_between_comparisons_is_fully_announced():
    told = Told()
    told.look(an_incident())
    ended = given(ended_at=NOW + SECOND, ended_cause="escalated")
    found = told.look(an_incident(severity=CRITICAL, acknowledgement=ended), after=SECOND)
    assert found == ["incident.escalated", "incident.acknowledged", "incident.unacknowledged"]


def test_next_episode_announces_its_own_acknowledgement():
    told = Told()
    told.look(an_incident(acknowledgement=given()))
    again = an_incident(episode="e2", opened_at=NOW + SECOND, acknowledgement=given())
    assert told.look(again) == ["incident.resolved", "incident.opened", "incident.acknowledged"]


def reminding(**changes) -> incidents.Incident:
    one = an_incident(**changes)
    reminders = decisions.Reminders(remind_every=600 * SECOND)
    return msgspec.structs.replace(one, response=msgspec.structs.replace(one.response, reminders=reminders))


def test_unacknowledged_incident_reminds_until_acknowledged():
    told = Told()
    assert told.look(reminding()) == ["incident.opened"]
    assert told.due == NOW + 600 * SECOND
    assert told.look(reminding(), after=600 * SECOND) == ["incident.reminded"]
    assert told.look(reminding(acknowledgement=given()), after=SECOND) == ["incident.acknowledged"]
    assert (told.due, told.look(reminding(acknowledgement=given()), after=HOUR)) == (0, [])


def test_late_announcement_sends_no_reminder():
    told = Told()
    assert told.look(reminding(), after=700 * SECOND) == ["incident.opened"]
    assert told.look(reminding(), after=SECOND) == []


def taken(until: int, who: str = "ada", at: int = NOW, **more) -> dict[str, reviews.Take]:
    return {f"{EPISODE}/page": reviews.Take(who, at, until, **more)}


def test_expired_take_is_announced_as_released():
    told, post = Told(), a_publication(review=publications.PendingReview("d1", NOW))
    told.look(an_incident(), post, reviews=[a_review()])
    mine = an_incident(takes=taken(NOW + 900 * SECOND))
    (event,) = told.events(mine, post, reviews=[a_review()])
    assert event.by == "ada"
    assert told.look(mine, post, reviews=[a_review()], after=899 * SECOND) == []
    assert told.look(mine, post, reviews=[a_review()], after=2 * SECOND) == ["review.released"]
    assert told.look(mine, post, reviews=[a_review()], after=2 * SECOND) == []


def test_released_event_names_the_reviewer():
    told, post = Told(), a_publication(review=publications.PendingReview("d1", NOW))
    told.look(an_incident(takes=taken(NOW + HOUR)), post, reviews=[a_review()])
    released = an_incident(takes=taken(NOW + SECOND, released_by="bob"))
    (event,) = told.events(released, post, reviews=[a_review()], after=SECOND)
    assert event.by == "bob"


def test_decision_ends_a_take_without_a_release():
    told, post = Told(), a_publication(review=publications.PendingReview("d1", NOW))
    told.look(an_incident(takes=taken(NOW + HOUR)), post, reviews=[a_review()])
    verdict = reviews.Verdict("approved", "bob", NOW + SECOND, "d1")
    assert told.look(an_incident(verdicts={"page": verdict}), post) == ["review.decided"]


def test_take_pauses_reminders_and_escalation():
    told, post = Told(), a_publication(review=publications.PendingReview("d1", NOW))
    target = decisions.Target("page", escalate_after=600 * SECOND, escalate_to=("leads",), remind_every=300 * SECOND)
    response = decisions.Response("r", "rules/a.yaml:3", "v1", (target,))
    told.look(an_incident(response=response), post, reviews=[a_review()])
    mine = an_incident(response=response, takes=taken(NOW + 900 * SECOND))
    assert told.look(mine, post, reviews=[a_review()], after=SECOND) == ["review.taken"]
    assert told.due == NOW + 900 * SECOND
    assert told.look(mine, post, reviews=[a_review()], after=700 * SECOND) == []
    assert told.look(mine, post, reviews=[a_review()], after=200 * SECOND) == ["review.released", "review.escalated"]
