"""Rule tests: review deadlines, and actions of reviewers and operators."""

import pytest

from router.rules import load
from tests.unit.dry_run import scenarios

RULES = """rules:
  - name: published
    when: {labels.a: published}
    open: [{at: page, title: Down, review: {timeout: 15m, on_timeout: publish}}]
  - name: dismissed
    when: {labels.a: dismissed}
    open: [{at: page, title: Down, review: {timeout: 15m, on_timeout: dismiss}}]
  - name: waits
    when: {labels.a: waits}
    open: [{at: page, title: Down}]
  - name: paged
    when: {labels.a: paged}
    open: [{at: on-call}]
tests:
"""


def is_passing(test):
    return scenarios.list_problems(RULES + test) == []


def case(kind, operations, *, people="", resolved="", until="2h"):
    alerts = f"{{labels: {{a: {kind}}}}}" + (
        f", {{at: {resolved}, status: resolved, labels: {{a: {kind}}}}}" if resolved else ""
    )
    return (
        f"  - {{name: t, alerts: [{alerts}], people: [{people}], until: {until}, "
        f"expect: {{operations: [{operations}]}}}}\n"
    )


def test_post_is_published_at_its_review_deadline():
    assert is_passing(case("published", "{at: 15m, open: page, title: Down}"))
    assert not is_passing(case("published", ""))
    assert is_passing(case("published", "", until="14m"))


def test_post_is_dismissed_at_its_review_deadline():
    assert is_passing(case("dismissed", ""))
    approved_late = case("dismissed", "", people="{at: 16m, approve: page}")
    assert "nothing awaits approval" in "".join(scenarios.list_problems(RULES + approved_late))


def test_incident_ended_before_the_deadline_is_never_published():
    assert is_passing(case("published", "", resolved="10m"))


def test_approval_before_the_deadline_publishes_immediately():
    assert is_passing(case("published", "{at: 3m, open: page}", people="{at: 3m, approve: page}"))


def test_dismissed_post_is_not_published_at_the_deadline():
    assert is_passing(case("published", "", people="{at: 3m, dismiss: page}"))


def test_edited_post_is_published_with_the_reviewers_texts():
    edit = "{at: 3m, edit: page, fields: {title: Slow}}"
    assert is_passing(case("published", "{at: 3m, open: page, title: Slow}", people=edit))


def test_frozen_post_is_published_when_thawed():
    frozen = "{at: 1m, freeze: upgrade}, {at: 2m, approve: page}"
    assert is_passing(case("waits", "", people=frozen))
    assert is_passing(case("waits", "{at: 30m, open: page}", people=frozen + ", {at: 30m, thaw: true}"))


def test_deadline_during_a_freeze_publishes_after_it():
    people = "{at: 1m, freeze: upgrade}, {at: 30m, thaw: true}"
    assert is_passing(case("published", "{at: 30m, open: page}", people=people))


def test_silenced_alert_opens_when_its_silence_ends():
    silenced = '{at: 0s, silence: ["a=paged"]'
    alert = "  - {name: t, alerts: [{at: 1m, labels: {a: paged}}], people: [PEOPLE], until: 2h, expect: OPENS}\n"
    opens = "{operations: [{at: 1h, open: on-call}]}"
    lasting = alert.replace("PEOPLE", silenced + ", for: 1h}").replace("OPENS", opens)
    assert is_passing(lasting)
    assert is_passing(alert.replace("PEOPLE", silenced + "}").replace("OPENS", "{operations: []}"))
    ended = alert.replace("PEOPLE", silenced + '}, {at: 30m, end_silence: ["a=paged"]}')
    assert is_passing(ended.replace("OPENS", "{operations: [{open: on-call}]}"))


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ("{at: 1m}", "name one action: approve, edit, dismiss, retract, silence, end_silence, freeze, thaw"),
        ("{approve: page, dismiss: page}", "name one action"),
        ("{edit: page}", '"edit" and "fields" must be set together'),
        ("{approve: page, fields: {title: x}}", '"edit" and "fields" must be set together'),
        ("{approve: page, for: 1h}", '"for" needs "silence"'),
        ('{silence: ["a paged"]}', "is not a matcher"),
        ("{approve: page, message: x}", '"message" needs "retract"'),
        ("{dismiss: pgae}", 'there is no destination "pgae"; did you mean "page"?'),
        ("{aprove: page}", 'unknown key "aprove"; did you mean "approve"?'),
    ],
)
def test_invalid_action_is_an_error(people, said):
    found = scenarios.rules(RULES + case("waits", "", people=people))[2]
    assert any(said in problem.message for problem in found), found


def test_expiring_a_missing_silence_is_an_error():
    (complaint, *_) = scenarios.list_problems(RULES + case("waits", "", people='{end_silence: ["a=b"]}'))
    assert "no such silence is active at that time" in complaint


def test_retracted_post_is_removed_until_approved_again():
    retracted = "{at: 5m, approve: page}, {at: 10m, retract: page, message: Sorry.}"
    shown = "{at: 5m, open: page}, {at: 10m, retract: page, message: Sorry.}"
    assert is_passing(case("waits", shown, people=retracted))
    assert is_passing(case("waits", shown, people=retracted, resolved="1h"))
    again = shown + ", {at: 30m, open: page, title: Down}"
    assert is_passing(case("waits", again, people=retracted + ", {at: 30m, approve: page}"))


def test_retraction_prevents_publication_of_a_pending_post():
    assert is_passing(case("published", "", people="{at: 5m, retract: page}"))


def test_retraction_of_nothing_is_an_error():
    (complaint, *_) = scenarios.list_problems(RULES + case("paged", "{open: on-call}", people="{retract: page}"))
    assert 'nothing can be retracted at "page" at that time' in complaint


def test_frozen_post_is_retracted():
    frozen = "{at: 1m, approve: page}, {at: 2m, freeze: upgrade}, {at: 3m, retract: page}"
    assert is_passing(case("waits", "{at: 1m, open: page}, {at: 3m, retract: page}", people=frozen))


AFTERWARDS = RULES.replace(
    "tests:\n",
    """  - name: afterwards
    when: {labels.a: afterwards}
    open: [{at: past-page, title: Down, retrospective: true}]
  - name: automatic
    when: {labels.a: automatic}
    open: [{at: past-page, title: Down, retrospective: true, publish: auto}]
tests:
""",
)


def test_approval_after_the_end_publishes_a_retrospective_incident():
    over = "{at: 30m, retrospective: past-page, title: Down}"
    approved = case("afterwards", over, people="{at: 30m, approve: past-page}", resolved="10m")
    assert scenarios.list_problems(AFTERWARDS + approved) == []
    assert scenarios.list_problems(AFTERWARDS + case("afterwards", "", resolved="10m", until="240h")) == []


def test_frozen_automatic_post_becomes_a_retrospective_incident():
    people = "{at: 0s, freeze: upgrade}, {at: 30m, thaw: true}"
    alerts = case("automatic", "{at: 30m, retrospective: past-page}", people=people, resolved="10m")
    alerts = alerts.replace("{labels:", "{at: 1m, labels:", 1)
    assert scenarios.list_problems(AFTERWARDS + alerts) == []


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("page", '"page" (kind page) has no retrospective incidents: remove retrospective'),
        ("on-call", 'customers don\'t see what is at "on-call" (kind internal): leave out retrospective'),
    ],
)
def test_destination_without_retrospective_incidents_is_an_error(at, said):
    text = f"rules:\n  - name: a\n    open:\n      - {{at: {at}, title: Down, retrospective: true}}\n"
    with pytest.raises(load.RulesRefused) as refused:
        scenarios.rules(text)
    assert [
        (problem.line, problem.message) for problem in refused.value.problems if "retrospective" in problem.message
    ] == [(4, f'rule "a": {said}')]
