"""``notify`` of a rule: checked against the configured notifiers, inherited from defaults, and combined."""

import pytest

from router.domain import alerts, asks, severities
from router.rules import destination_info, load
from router.yaml_source import documents
from tests.unit.rules import conftest

CONFIGURED = destination_info.Configured(conftest.DESTINATIONS, ["team-a", "team-b"])
ALERT = alerts.Alert("am", "f1", "firing", 1, 0, labels={"a": "x"})


def load_rules(text: str, destinations=CONFIGURED):
    return load.from_document(documents.parse(text.encode(), "r.yaml"), destinations)


def get_notified(text: str) -> tuple[str, ...]:
    return load_rules(text).decide(ALERT, 1).response.notify


RULE = "{name: r, when: {}, open: []}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"rules: [{RULE}]", ()),
        ("rules: [{name: r, when: {}, notify: [team-a], open: []}]", ("team-a",)),
        (f"defaults: {{notify: [team-a]}}\nrules: [{RULE}]", ("team-a",)),
        ("defaults: {notify: [team-a]}\nrules: [{name: r, when: {}, notify: [], open: []}]", ()),
        ("defaults: {notify: [team-a]}\nrules: [{name: r, when: {}, notify: [team-b], open: []}]", ("team-b",)),
        (
            "rules:\n- {name: p, when: {}, continue: true, notify: [team-b], open: []}\n"
            "- {name: q, when: {}, notify: [team-a, team-b], open: []}",
            ("team-b", "team-a"),
        ),
    ],
)
def test_incident_notifies_the_notifiers_of_its_rules(text, names):
    assert get_notified(text) == names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "rules: [{name: r, when: {}, notify: [team-c], open: []}]",
            '1:38: rule "r": unknown notifier "team-c"; did you mean',
        ),
        (f"defaults: {{notify: [team-c]}}\nrules: [{RULE}]", '1:21: defaults: unknown notifier "team-c"'),
    ],
)
def test_unknown_notifier_is_reported_with_its_position(text, problem):
    with pytest.raises(load.RulesRefused, match="notifier") as refused:
        load_rules(text)
    assert problem in str(refused.value)


def test_any_name_is_accepted_without_known_notifiers():
    assert load_rules("rules: [{name: r, when: {}, notify: [any], open: []}]", conftest.DESTINATIONS)


def test_notify_and_ignore_exclude_each_other():
    with pytest.raises(load.RulesRefused, match='"notify" and "ignore" exclude each other'):
        load_rules("rules: [{name: r, when: {}, ignore: test, notify: [team-a]}]")


def test_notifiers_of_all_joined_asks_are_combined():
    first, second = (
        load_rules(f"rules: [{{name: r, when: {{}}, notify: [{team}], open: []}}]").decide(ALERT, 1).response
        for team in ("team-a", "team-b")
    )
    both = [
        asks.Ask(0, first, ALERT, severity=severities.Severity.MAJOR, is_joined=True),
        asks.Ask(1, second, ALERT, severity=severities.Severity.MINOR, is_joined=True),
    ]
    assert set(asks.combine(both[0], both).notify) == {"team-a", "team-b"}


def get_review(review: str):
    rule = f"{{name: r, when: {{}}, open: [{{at: page, publish: review, review: {review}, title: T}}]}}"
    (target,) = load_rules(f"rules: [{rule}]").decide(ALERT, 1).response.targets
    return target


def test_review_settings_configure_reminders_and_escalation():
    target = get_review("{remind_every: 10m, escalate_after: 25m, escalate_to: [team-b]}")
    assert (target.remind_every, target.escalate_after, target.escalate_to) == (600_000_000, 1_500_000_000, ("team-b",))
    assert target.deadline == 0


@pytest.mark.parametrize(
    ("review", "problem"),
    [
        ("{}", 'set "timeout", "remind_every", or "escalate_after"'),
        ("{on_timeout: publish}", '"on_timeout" needs "timeout"'),
        ("{remind_every: 10s}", '"remind_every" must be at least 1m'),
        ("{escalate_after: 5m}", '"escalate_after" and "escalate_to" must be set together'),
        ("{escalate_to: [team-a]}", '"escalate_after" and "escalate_to" must be set together'),
        ("{escalate_after: 5m, escalate_to: [team-c]}", 'unknown notifier "team-c"; did you mean'),
    ],
)
def test_invalid_review_settings_are_reported(review, problem):
    with pytest.raises(load.RulesRefused) as refused:
        get_review(review)
    assert problem in str(refused.value)
