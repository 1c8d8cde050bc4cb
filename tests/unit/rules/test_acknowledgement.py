"""``acknowledgement`` of a rule: when operators are reminded of its incidents."""

import pytest

from router.domain import decisions
from router.rules import load
from tests.unit.rules.test_notify import ALERT, load_rules

MINUTE = 60_000_000


def decide_reminders(text: str) -> decisions.Reminders:
    return load_rules(text).decide(ALERT, 1).response.reminders


def rule(said: str = "") -> str:
    return f"rules: [{{name: r, when: {{}}, open: []{said}}}]"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (rule(), (0, 0)),
        (rule(", acknowledgement: {remind_every: 15m}"), (15, 0)),
        (rule(", acknowledgement: {remind_every: 15m, stale_after: 4h}"), (15, 240)),
        ("defaults: {acknowledgement: {remind_every: 15m}}\n" + rule(), (15, 0)),
        ("defaults: {acknowledgement: {remind_every: 15m}}\n" + rule(", acknowledgement: {stale_after: 1h}"), (15, 60)),
        ("defaults: {acknowledgement: {remind_every: 15m}}\n" + rule(", acknowledgement: {remind_every: 5m}"), (5, 0)),
    ],
)
def test_rule_configures_the_reminder_times(text, found):
    assert decide_reminders(text) == decisions.Reminders(*(minutes * MINUTE for minutes in found))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{}", 'set "remind_every" or "stale_after"'),
        ("{remind_every: 59s}", '"remind_every" must be at least 1m'),
        ("{stale_after: 1s}", '"stale_after" must be at least 1m'),
        ("{stale_ack: 4h}", 'unknown key "stale_ack"; did you mean "stale_after"?'),
    ],
)
def test_invalid_acknowledgement_settings_are_reported(said, problem):
    with pytest.raises(load.RulesRefused) as refused:
        load_rules(rule(f", acknowledgement: {said}"))
    assert problem in str(refused.value)


def test_acknowledgement_and_ignore_exclude_each_other():
    with pytest.raises(load.RulesRefused, match='"acknowledgement" and "ignore" exclude each other'):
        load_rules("rules: [{name: r, when: {}, ignore: test, acknowledgement: {stale_after: 1h}}]")
