"""Monitoring before a post is resolved, and reviews of its end: timing, plan, and timeline."""

import msgspec
import pytest

from router.domain import (
    alerts,
    decisions,
    ending,
    fold,
    incidents,
    plan,
    publications,
    reviews,
    severities,
    steps,
    timeline,
    timing,
)
from router.domain.reasons import Cause, Edit, Reason

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
LEAK = Cause(Reason.TEXT_LEAKS, detail="an IP address")
FROZEN = Cause(Reason.FROZEN, detail="by ann")
CONTENT = publications.Content(severities.Severity.MAJOR, {"title": "Down"})
MONITORED = publications.Content(severities.Severity.MAJOR, {"title": "Down", "update_status": "MONITORING"})


def page(seconds=900, **more):
    return decisions.Target("page", {"title": "Down"}, "auto", ending=decisions.Ending(seconds * SECOND, **more))


def response(*targets, **durations):
    return decisions.Response(
        "r", "f:1", "v", targets=targets or (page(),), timing=decisions.Timing(**durations)
    )  # fmt: skip


def fold_alert(before, status, at, of=None):
    alert = alerts.Alert("am", "a", status, 1, 2 if status == "resolved" else 0, title="a")
    if status == "again":
        alert = alerts.Alert("am", "a", "firing", 10, 0, title="a")
    routed = decisions.Routed(alert, decisions.Decision("key", severities.Severity.MAJOR, of or response()))
    return fold.fold(before, [routed], now=NOW + at * SECOND, episode=f"e{at}")


def make_quiet_incident(**durations):
    of = response(**durations)
    opened = fold_alert(incidents.Incident("key"), "firing", 0, of)
    return fold_alert(opened, "resolved", 60, of)


def apply_timers(before, at):
    return timing.apply_timers(before, now=NOW + at * SECOND, episode=f"e{at}")


def test_quiet_incident_is_monitored_and_then_closes():
    incident = make_quiet_incident()
    assert (incident.status, incident.monitored_since) == ("open", NOW + 60 * SECOND)
    assert timing.due(incident) == NOW + 960 * SECOND
    assert apply_timers(incident, 959) is incident
    closed = apply_timers(incident, 960)
    assert (closed.status, closed.quiet) == ("closed", None)


def test_incident_is_monitored_only_after_its_quiet_period():
    incident = make_quiet_incident(resolve_after=300 * SECOND)
    assert (incident.monitored_since, timing.due(incident)) == (None, NOW + 360 * SECOND)
    assert [cause.code for _, cause in timing.upcoming(incident)] == [Reason.MONITORING_BEGINS]
    later = apply_timers(incident, 360)
    assert (later.monitored_since, timing.due(later)) == (NOW + 360 * SECOND, NOW + 1260 * SECOND)
    assert [cause.code for _, cause in timing.upcoming(later)] == [Reason.QUIET_PERIOD_ENDS]


def test_refired_incident_continues_its_episode():
    found = fold_alert(make_quiet_incident(), "again", 120)
    assert (found.status, found.episode, found.generation) == ("open", "e0", 1)
    assert (found.quiet, timing.due(found)) == (None, 0)
    anew = fold_alert(found, "resolved", 200)
    assert anew.still_fires == 1  # An old message: the alert has fired since.


def test_longest_monitoring_period_of_all_posts_applies():
    of = response(page(60), msgspec.structs.replace(page(600), destination="other"), decisions.Target("on-call"))
    opened = fold_alert(incidents.Incident("key"), "firing", 0, of)
    assert timing.due(fold_alert(opened, "resolved", 60, of)) == NOW + 660 * SECOND


def test_incident_without_monitored_posts_closes_immediately():
    of = response(decisions.Target("page", ending=decisions.Ending(review=True)))
    opened = fold_alert(incidents.Incident("key"), "firing", 0, of)
    assert fold_alert(opened, "resolved", 60, of).status == "closed"


def test_end_waiting_for_earlier_deliveries_keeps_monitoring():
    before = make_quiet_incident()
    after = apply_timers(before, 960)
    kept = ending.postpone(before, after, NOW, NOW + 960 * SECOND)
    assert (kept.status, kept.monitored_since) == ("open", before.monitored_since)


def test_monitoring_waits_for_earlier_deliveries():
    opened = fold_alert(incidents.Incident("key"), "firing", 0)
    now = NOW + 60 * SECOND
    waits = ending.postpone(opened, fold_alert(opened, "resolved", 60), now - SECOND, now)
    assert (waits.status, waits.quiet) == ("open", incidents.QuietPeriod(now, overtaken_at=now - SECOND))
    assert ending.is_waiting(waits, now - 2 * SECOND, now)
    again = ending.postpone(waits, timing.quiet(waits, now + 1), now, now + 1)
    assert again.quiet == incidents.QuietPeriod(now, overtaken_at=now)
    assert ending.due(waits, now) > now
    assert apply_timers(waits, 61).monitored_since == now + SECOND


def test_timeline_records_monitoring_and_refiring():
    opened = fold_alert(incidents.Incident("key"), "firing", 0)
    monitored = fold_alert(opened, "resolved", 60)
    (event,) = [one for one in timeline.events_for_change(opened, monitored, [], NOW) if one.what == "monitored"]
    assert event.text == "All alerts are resolved. The incident is monitored for 900 s before it ends."
    again = fold_alert(monitored, "again", 120)
    texts = [one.text for one in timeline.events_for_change(monitored, again, [], NOW)]
    assert "An alert fires again before the incident ends." in texts


def test_targets_and_verdicts_of_earlier_versions_are_read():
    packed = msgspec.msgpack.encode(["page", {}, "auto", 0, "dismiss", {}, {}, {}])
    assert msgspec.msgpack.decode(packed, type=decisions.Target).ending == decisions.Ending()
    verdict = msgspec.msgpack.encode(["approved", "ann", 1])
    assert msgspec.msgpack.decode(verdict, type=reviews.Verdict).ending == {}


def make_publication(content=CONTENT, **more):
    return publications.Publication(
        "e1", "page", "open", vendor_id="v1", digest=content.digest, content=content, **more
    )  # fmt: skip


def make_desired(content=MONITORED, **more):
    return publications.Desired(
        **{"present": True, "public": True, "publish": "auto", "monitored": True} | more, content=content
    )


def step(desired, observed, now=NOW):
    return plan.plan(desired, observed, now=now)


def test_open_post_is_set_to_monitoring_once():
    assert step(make_desired(), make_publication()) == steps.Execute("monitor", Cause(Reason.ALERTS_RESOLVED))
    assert step(make_desired(), make_publication(MONITORED)) == steps.Wait(Cause(Reason.IN_SYNC))
    back = step(make_desired(CONTENT, monitored=False), make_publication(MONITORED, monitored=True))
    assert (back.kind, back.cause.code) == ("update", Reason.CONTENT_CHANGED)


def test_refiring_alert_reverts_monitoring_without_a_review():
    says = make_publication(MONITORED, monitored=True, says_monitored=True)
    fires = make_desired(CONTENT, monitored=False, publish="review")
    assert step(fires, says) == steps.Execute("update", Cause(Reason.FIRING_AGAIN))
    assert step(fires, msgspec.structs.replace(says, says_monitored=False)).waiting_on == "reviewer"
    dangerous = msgspec.structs.replace(fires, review_cause=LEAK)
    assert step(dangerous, says).waiting_on == "reviewer"


def test_drifted_post_is_set_to_monitoring_again():
    publication = make_publication(MONITORED, differs="component a is operational", says_monitored=True)
    assert step(make_desired(), publication).kind == "monitor"


@pytest.mark.parametrize(
    ("more", "waits_for"),
    [
        ({"frozen": FROZEN}, "unfreeze"),
        ({"review_cause": LEAK}, "reviewer"),
        ({"publish": "review"}, "reviewer"),
    ],
)
def test_freeze_leak_and_review_delay_monitoring(more, waits_for):
    found = step(make_desired(**more), make_publication())
    assert (type(found), found.waiting_on) == (steps.Wait, waits_for)


def test_monitoring_waits_for_the_minimum_update_interval():
    found = step(make_desired(min_update_interval=60 * SECOND), make_publication(acted_at=NOW - SECOND))
    assert found == steps.Wait(Cause(Reason.UPDATE_INTERVAL), NOW + 59 * SECOND, steps.WaitingOn.TIME)


def test_rejected_monitoring_does_not_prevent_the_resolution():
    dead = make_publication(
        rejection=publications.Rejection("422", plan.operation_fingerprint("monitor", MONITORED), NOW - 9)
    )
    assert step(make_desired(), dead).waiting_on == "operator"
    assert step(make_desired(present=False, monitored=False), dead).kind == "resolve"


def make_ended(**more):
    return make_desired(CONTENT, **{"present": False, "monitored": False, "ends_by_review": True} | more)


def verdict(kind, digest=reviews.RESOLUTION):
    return reviews.Verdict(kind, "ann", NOW, digest)


def test_resolution_waits_for_a_reviewer():
    found = step(make_ended(), make_publication())
    assert found == steps.Wait(
        Cause(Reason.REVIEW_REQUIRED), waiting_on=steps.WaitingOn.REVIEWER, subject=steps.Subject.RESOLUTION
    )
    assert plan.pending_review_digest(make_ended(), make_publication(), found) == reviews.RESOLUTION
    assert step(make_ended(verdict=verdict("approved")), make_publication()).kind == "resolve"
    # The approval of the earlier text doesn't approve the end.
    assert step(make_ended(verdict=verdict("approved", CONTENT.digest)), make_publication()) == found
    assert step(make_ended(verdict=verdict("dismissed")), make_publication()) == steps.Wait(
        Cause(Reason.LEFT_TO_REVIEWER, who="ann")
    )


def test_deadline_resolves_only_with_on_timeout_publish():
    at_deadline = make_ended(deadline=100, at_deadline="publish")
    assert (
        step(at_deadline, make_publication(review=publications.PendingReview(reviews.RESOLUTION, NOW - 99))).until
        == NOW + 1
    )
    lapsed = make_publication(review=publications.PendingReview(reviews.RESOLUTION, NOW - 100))
    assert step(at_deadline, lapsed).kind == "resolve"
    assert plan.is_decided_by_deadline(at_deadline, lapsed, now=NOW)
    # An approval of the opening doesn't approve the end.
    assert plan.is_decided_by_deadline(
        make_ended(deadline=100, at_deadline="publish", verdict=verdict("approved", "x")), lapsed, now=NOW
    )
    assert step(make_ended(deadline=100), lapsed).waiting_on == "reviewer"
    # A timeout doesn't replace a manual change at the vendor.
    taken = msgspec.structs.replace(lapsed, taken_over=Edit.TITLE_CHANGED)
    assert step(at_deadline, taken).waiting_on == "reviewer"


def test_approved_resolution_waits_until_the_freeze_ends():
    assert step(make_ended(verdict=verdict("approved"), frozen=FROZEN), make_publication()).waiting_on == "unfreeze"
