"""Reviewers are reminded at the times that the rule sets, at most once per evaluation. A review is escalated once."""

import pytest

from router.domain import announcements, decisions, events, review_reminders, times

MINUTE = 60_000_000
SINCE = 1_800_000_000_000_000
INCIDENT = events.Incident("down", "IR-1", "Checkout is down", "major", "open", times.to_datetime(SINCE))
REVIEW = events.Review("page", "opening", "d1", "a reviewer has to approve it")
TARGET = decisions.Target("page", remind_every=10 * MINUTE, escalate_after=25 * MINUTE, escalate_to=("leads",))


def remind(before, minutes: float, target: decisions.Target = TARGET, since: int = SINCE):
    waiting = [review_reminders.Waiting(REVIEW, target, since)]
    return review_reminders.remind(before, waiting, INCIDENT, int(SINCE + minutes * MINUTE))


def list_types(reminded) -> list[str]:
    return [events.type_of(event) for event in reminded.found]


def list_reminders(*minutes: float) -> list[list[str]]:
    """Return the event types of an evaluation at each of these minutes."""
    before: dict = {}
    found = []
    for minute in minutes:
        reminded = remind(before, minute)
        found.append(list_types(reminded))
        before = dict(reminded.after)
    return found


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ((0, 9.9), [[], []]),
        ((10, 10.1, 20), [["review.reminded"], [], ["review.reminded"]]),
        ((5, 22, 23), [[], ["review.reminded"], []]),
        ((20, 25, 26, 30), [["review.reminded"], ["review.escalated"], [], ["review.reminded"]]),
        ((61, 62), [["review.escalated"], []]),
        ((10, -5, 10), [["review.reminded"], [], []]),
    ],
)
def test_reminders_follow_the_rule(minutes, expected):
    assert list_reminders(*minutes) == expected


@pytest.mark.parametrize(
    ("target", "minutes", "due"),
    [
        (TARGET, 0, 10),
        (TARGET, 21, 25),
        (TARGET, 26, 30),
        (decisions.Target("page", escalate_after=5 * MINUTE, escalate_to=("leads",)), 0, 5),
        (decisions.Target("page", escalate_after=5 * MINUTE, escalate_to=("leads",)), 6, None),
        (decisions.Target("page"), 100, None),
    ],
)
def test_next_evaluation_is_at_the_next_due_time(target, minutes, due):
    assert remind({}, minutes, target).due == (SINCE + due * MINUTE if due is not None else 0)


def test_new_version_of_the_post_restarts_reminders():
    before = remind({}, 26).after
    again = remind(before, 27, since=SINCE + 26 * MINUTE)
    assert (list_types(again), again.after["page"].is_escalated) == ([], False)


def test_reminder_contains_the_review_s_waiting_time():
    assert remind({}, 10).found[0].waiting_seconds == 600


class TestRecipients:
    def recipients(self, event, *, escalated=False) -> tuple[str, ...]:
        response = decisions.Response("r", "f:1", "v", (TARGET,), notify=("team",))
        incident = announcements.incidents.Incident("down", response=response)
        reminder = review_reminders.Reminder(SINCE, is_escalated=escalated)
        before = announcements.Announced(reminders={"page": reminder})
        return announcements.recipients(before, incident, event)

    def test_rule_names_the_notifiers_of_every_event(self):
        assert self.recipients(events.IncidentOpened(INCIDENT)) == ("team",)
        assert self.recipients(events.ReviewReminded(INCIDENT, REVIEW, 1)) == ("team",)

    def test_escalation_reaches_further_notifiers_until_the_decision(self):
        assert self.recipients(events.ReviewEscalated(INCIDENT, REVIEW, 1)) == ("team", "leads")
        decided = events.ReviewDecided(INCIDENT, "page", "approved")
        assert self.recipients(decided, escalated=True) == ("team", "leads")
        assert self.recipients(decided) == ("team",)
        assert self.recipients(events.IncidentResolved(INCIDENT, times.to_datetime(SINCE)), escalated=True) == ("team",)
