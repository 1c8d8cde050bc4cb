"""Events are the difference between the announced and the current state: none is lost or duplicated."""

import random

import msgspec
import pytest

from router.domain import alerts, announcements, decisions, events, incidents, publications, reviews, severities, times

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
RESPONSE = decisions.Response(
    "checkout-down", "rules/a.yaml:3", "v1", (decisions.Target("page", deadline=60 * SECOND),)
)
MAJOR, CRITICAL = severities.Severity.MAJOR, severities.Severity.CRITICAL
EPISODE = "e1"


def make_incident(**changes) -> incidents.Incident:
    opening = alerts.Alert("am", "f1", "firing", NOW, 0, title="Checkout is down")
    incident = incidents.Incident(
        "down", "open", 1, EPISODE, MAJOR, NOW, response=RESPONSE, opening_alert=opening, changed_at=NOW
    )
    incident = msgspec.structs.replace(incident, summary=incidents.AlertSummary(1))
    decided = {name: changes.pop(name) for name in incidents.Interventions.__struct_fields__ if name in changes}
    return msgspec.structs.replace(incidents.with_interventions(incident, **decided), **changes)


def make_publication(destination: str = "page", **changes) -> publications.Publication:
    return publications.Publication(changes.pop("episode", EPISODE), destination, **changes)


def make_review(digest: str = "d1") -> events.Review:
    return events.Review("page", "opening", digest, "a reviewer has to approve", "Checkout fails", "We are on it.")


class Announcements:
    """The announcements of one incident."""

    def __init__(self) -> None:
        self.announced: announcements.Announced | None = None
        self.now = NOW
        self.due = 0

    def look(self, incident: incidents.Incident, *publications, reviews=(), after: int = 0) -> list[str]:
        """Compare the incident with its announcements and return the types of the new events."""
        return [events.type_of(event) for event in self.events(incident, *publications, reviews=reviews, after=after)]

    def events(self, incident: incidents.Incident, *publications, reviews=(), after: int = 0) -> list[events.Event]:
        self.now += after
        by_destination = {waiting.destination: waiting for waiting in reviews}
        observed = announcements.ObservedIncident(incident, publications, by_destination, {"page"})
        made = announcements.announce(self.announced, observed, self.now)
        self.announced = made.after or self.announced
        self.due = made.due
        return list(made.found)


def test_each_incident_transition_is_announced_once():
    told = Announcements()
    absent, shown = make_publication(), make_publication(state="open", digest="c1", url="https://vendor.example/1")
    assert told.look(make_incident(), absent) == ["incident.opened"]
    assert told.look(make_incident(), absent) == []
    assert told.look(make_incident(), shown) == ["incident.published"]
    assert told.look(make_incident(), shown) == []
    over = make_incident(status="closed", closed_at=NOW + SECOND)
    assert told.look(over, shown) == ["incident.resolved"]
    assert told.look(over, make_publication(state="resolved", digest="c2")) == []


def test_incident_ended_between_comparisons_is_fully_announced():
    assert Announcements().look(make_incident(status="closed", closed_at=NOW)) == [
        "incident.opened",
        "incident.resolved",
    ]


def test_opening_has_the_highest_severity_so_far():
    (opened,) = Announcements().events(make_incident(severity=CRITICAL))
    assert (opened.incident.severity, opened.incident.title) == ("critical", "Checkout is down")
    assert opened.incident.reference.startswith("IR-")


def test_new_episode_announces_the_previous_one_s_end():
    told = Announcements()
    told.look(make_incident())
    again = make_incident(episode="e2", follows=EPISODE, opened_at=NOW + SECOND)
    resolved, opened = told.events(again)
    assert resolved.incident.reference != opened.incident.reference
    assert opened.follows == resolved.incident.reference


def test_minor_events_wait_for_the_minimum_interval():
    told = Announcements()
    told.look(make_incident())
    worse = make_incident(severity=CRITICAL)
    assert told.look(worse, after=SECOND) == []
    assert told.due == NOW + announcements.SPACING
    (escalated,) = told.events(worse, after=announcements.SPACING)
    assert (escalated.previous_severity, escalated.incident.severity) == ("major", "critical")


def test_major_event_releases_minor_events_immediately():
    told = Announcements()
    told.look(make_incident())
    published = told.look(make_incident(severity=CRITICAL), make_publication(state="open"), after=SECOND)
    assert published == ["incident.escalated", "incident.published"]


def test_clock_set_back_does_not_hold_events():
    told = Announcements()
    told.look(make_incident())
    assert told.look(make_incident(severity=CRITICAL), after=-10 * announcements.SPACING) == ["incident.escalated"]


def test_lowered_severity_is_an_update():
    told = Announcements()
    told.look(make_incident(severity=CRITICAL))
    (updated,) = told.events(make_incident(), after=announcements.SPACING)
    assert (updated.previous_severity, updated.incident.severity) == ("critical", "major")


@pytest.mark.parametrize(
    "changes", [{"digest": "c2"}, {"taken_over": "the title was changed"}, {"state": "resolved", "retracted": True}]
)
def test_changed_publication_is_an_update(changes):
    told = Announcements()
    publication = make_publication(state="open", digest="c1")
    told.look(make_incident(), publication)
    (updated,) = told.events(
        make_incident(), msgspec.structs.replace(publication, **changes), after=announcements.SPACING
    )
    assert isinstance(updated, events.IncidentUpdated)
    assert updated.publications[0].destination == "page"
    assert updated.publications[0].public


def test_each_rejected_operation_is_announced_once():
    told = Announcements()
    told.look(make_incident(), make_publication())
    dead = make_publication(rejection=publications.Rejection("422: no such component", "open/c1", NOW))
    (failed,) = told.events(make_incident(), dead)
    assert (failed.destination, failed.problem) == ("page", "422: no such component")
    assert told.look(make_incident(), dead) == []
    again = make_publication(rejection=publications.Rejection("422", "open/c1", NOW + 1))
    assert told.look(make_incident(), again) == ["operation.failed"]


class TestReviews:
    def test_waiting_changed_and_approved_reviews_are_announced(self):
        told = Announcements()
        post = make_publication(review=publications.PendingReview("d1", NOW))
        (_, waiting) = told.events(make_incident(), post, reviews=[make_review()])
        assert waiting.review.message == "We are on it."
        changed = told.events(make_incident(), reviews=[make_review("d2")], after=announcements.SPACING)
        assert [(event.previous_digest, event.review.digest) for event in changed] == [("d1", "d2")]
        approved = make_incident(verdicts={"page": reviews.Verdict("approved", "ann", NOW, "d2", "looks right")})
        (decided,) = told.events(approved, make_publication())
        assert (decided.outcome, decided.by, decided.reason) == ("approved", "ann", "looks right")
        assert told.look(approved, make_publication()) == []

    def test_approval_with_changed_text_is_an_edit(self):
        told = Announcements()
        told.look(make_incident(), reviews=[make_review()])
        edited = reviews.Verdict("approved", "ann", NOW, "d1", fields={"message": "Ours."})
        (decided,) = told.events(make_incident(verdicts={"page": edited}))
        assert decided.outcome == "edited"

    def test_next_version_after_a_decision_awaits_review(self):
        told = Announcements()
        told.look(make_incident(), reviews=[make_review()])
        decided = make_incident(verdicts={"page": reviews.Verdict("approved", "ann", NOW, "d1")})
        assert told.look(decided, reviews=[make_review("d2")]) == ["review.decided", "review.waiting"]

    def test_decision_on_an_unannounced_review_is_announced(self):
        told = Announcements()
        told.look(make_incident())
        decided = make_incident(verdicts={"page": reviews.Verdict("dismissed", "ann", NOW)})
        assert told.look(decided) == ["review.decided"]

    @pytest.mark.parametrize(
        ("at_deadline", "later", "outcome"),
        [
            ("publish", 120 * SECOND, "published_at_deadline"),
            ("dismiss", 120 * SECOND, "dismissed_at_deadline"),
            ("dismiss", SECOND, "withdrawn"),
        ],
    )
    def test_review_ended_without_a_decision_has_its_outcome(self, at_deadline, later, outcome):
        told = Announcements()
        response = msgspec.structs.replace(
            RESPONSE, targets=(decisions.Target("page", deadline=60 * SECOND, at_deadline=at_deadline),)
        )
        incident = make_incident(response=response)
        told.look(incident, make_publication(review=publications.PendingReview("d1", NOW)), reviews=[make_review()])
        (decided,) = told.events(incident, make_publication(review=publications.PendingReview("d1", NOW)), after=later)
        assert (decided.outcome, decided.by) == (outcome, "")

    def test_approved_retraction_names_the_operator(self):
        told = Announcements()
        name = f"{EPISODE}/page"
        incident = make_incident(retractions={name: reviews.Retraction("ann", NOW, "false alarm", "d0")})
        told.look(incident, make_publication(state="open"), reviews=[make_review()])
        approved = make_incident(retractions={name: reviews.Retraction("bob", NOW + 1, "false alarm", "d1")})
        (decided,) = told.events(approved, make_publication(state="open"))
        assert (decided.outcome, decided.by) == ("approved", "bob")


class TestBaseline:
    def test_old_incident_is_not_announced_as_new(self):
        told = Announcements()
        told.now += 2 * announcements.BASELINE
        assert told.look(make_incident()) == []
        assert told.look(make_incident(status="closed", closed_at=NOW)) == ["incident.resolved"]

    def test_old_review_is_announced(self):
        told = Announcements()
        told.now += 2 * announcements.BASELINE
        assert told.look(make_incident(), reviews=[make_review()]) == ["review.waiting"]


@pytest.mark.parametrize(
    "one",
    [
        incidents.Incident("down"),
        make_incident(key=f"{decisions.INHIBITION}down"),
        make_incident(episode="", status="pending"),
    ],
)
def test_pending_and_inhibition_incidents_are_not_announced(one):
    told = Announcements()
    assert told.look(one) == []
    assert told.announced is None


def test_missed_heartbeat_is_announced_with_its_incident():
    response = msgspec.structs.replace(RESPONSE, timing=decisions.Timing(heartbeat=90 * SECOND))
    _, missed = Announcements().events(make_incident(response=response, last_heartbeat_at=NOW - 100 * SECOND))
    assert (missed.interval_seconds, missed.last_received_at) == (90, times.to_datetime(NOW - 100 * SECOND))


def test_each_opening_and_end_is_announced_once():
    """Each episode opens once and resolves once, regardless of when and how often a worker compares."""
    for seed in range(300):
        chance = random.Random(seed)
        told, found = Announcements(), []
        for number in range(1, 5):
            opened = make_incident(episode=f"e{number}", opened_at=NOW)
            closed = msgspec.structs.replace(opened, status="closed", closed_at=NOW)
            for state in (opened, closed):
                if chance.random() < 0.6 or number == 4:
                    found += told.events(state)
        counts: dict[str, list[str]] = {}
        for event in found:
            counts.setdefault(event.incident.reference, []).append(events.type_of(event))
        assert all(types == ["incident.opened", "incident.resolved"] for types in counts.values()), seed
