"""``expect: notifications`` in rule tests: the recipient, event, and simulated time of each notification."""

import pytest

from router.bootstrap import public_pages
from router.domain import subscriptions
from router.dry_run import notification_checks, rule_test_runner, simulation
from router.rules import destination_info, load, rule_tests
from router.yaml_source import documents
from tests.unit.dry_run import scenarios
from tests.unit.rules import conftest

CONFIGURED = destination_info.Configured(conftest.DESTINATIONS, ["approvals", "leads", "shop-chat"])
SUBSCRIBED = subscriptions.Subscriptions(
    {"reviews": ("approvals",), "freezes": ("approvals",)}, {"team-shop": ("shop-chat",)}
)
RULES = """rules:
  - name: reviewed
    when: {labels.a: reviewed}
    timing: {resolve_after: 1m}
    open:
      - at: page
        publish: review
        review: {remind_every: 10m, escalate_after: 25m, escalate_to: [leads]}
        title: Down
  - name: owned
    when: {labels.a: owned}
    owner: team-shop
    notify: [leads]
    severity: {from: severity, map: {minor: minor, critical: critical}}
    timing: {resolve_after: 1m}
    open: [{at: on-call, name: Down}]
tests:
"""


def list_results(test: str, *, subscribed=SUBSCRIBED, destinations=CONFIGURED) -> list[rule_test_runner.Result]:
    document = documents.parse((RULES + test).encode(), "r.yaml")
    found = []
    read = list(rule_tests.read(document, destinations, found))
    if found:
        raise load.RulesRefused(found)
    ruleset = load.from_document(document, destinations)

    def world(now: int) -> simulation.Simulation:
        return simulation.Simulation(
            ruleset.decide, scenarios.PLACES, public_pages.render, now=now, subscribed=subscribed
        )

    return [rule_test_runner.run(case, world) for case in read]


def list_problems(test: str, **more) -> list[str]:
    (result,) = list_results(test, **more)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in result.problems]


def list_notifications(test: str, **more) -> list[str]:
    """Return the notifications of a test in the format shown to its author."""
    (result,) = list_results(test, **more)
    return list(notification_checks.format_lines(result.notifications, result.started_at))


def test_reminders_and_escalation_are_sent_on_time():
    assert (
        list_problems("""
  - name: t
    alerts: [{labels: {a: reviewed}, title: Boom}]
    people: [{at: 32m, approve: page}]
    until: 2h
    expect:
      notifications:
        - {at: 0s, to: approvals, event: review.waiting, destination: page}
        - {at: 10m, to: approvals, event: review.reminded, destination: page}
        - {at: 20m, to: approvals, event: review.reminded}
        - {at: 25m, to: approvals, event: review.escalated}
        - {at: 25m, to: leads, event: review.escalated}
        - {at: 30m, to: approvals, event: review.reminded}
        - {at: 30m, to: leads, event: review.reminded}
        - {at: 32m, to: approvals, event: review.decided}
        - {at: 32m, to: leads, event: review.decided}
""")
        == []
    )


def test_owner_and_named_notifiers_receive_every_event_once():
    assert list_notifications(
        """
  - name: t
    alerts:
      - {labels: {a: owned}, severity: minor}
      - {at: 10m, labels: {a: owned}, severity: critical, fingerprint: other}
      - {at: 20m, status: resolved, labels: {a: owned}}
      - {at: 20m, status: resolved, labels: {a: owned}, fingerprint: other}
    until: 1h
    expect: {notifications: []}
"""
    ) == [
        f'{{at: "{at}", to: "{to}", event: "{event}"}}'
        for at, event in (
            ("0s", "incident.opened"),
            ("0s", "incident.published"),
            ("10m", "incident.escalated"),
            # The destination's own severity is announced 30 seconds after the last announcement.
            ("10m30s", "incident.updated"),
            ("21m", "incident.resolved"),
        )
        for to in ("shop-chat", "leads")
    ]


def test_minor_events_wait_as_in_a_worker():
    """A severity that rises 10 seconds after the opening is announced 30 seconds after the opening."""
    text = """
  - name: t
    alerts:
      - {labels: {a: owned}, severity: minor}
      - {at: 10s, labels: {a: owned}, severity: critical, fingerprint: other}
    until: 1h
    expect: {notifications: []}
"""
    assert '{at: "30s", to: "leads", event: "incident.escalated"}' in list_notifications(text)


def test_freeze_is_received_by_its_subscribers():
    assert (
        list_problems("""
  - name: t
    alerts: [{labels: {a: none}}]
    people: [{at: 1m, freeze: upgrade}, {at: 5m, thaw: true}]
    expect:
      notifications:
        - {at: 1m, to: approvals, event: freeze.started}
        - {at: 5m, to: approvals, event: freeze.ended}
""")
        == []
    )


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("", "36:7: review.waiting (page) to approvals after 0s was not expected"),
        (
            "{at: 0s, to: approvals, event: review.waiting}, {at: 5m, to: approvals, event: review.decided}",
            "36:73: expected review.decided to approvals, but there was none (there were: review.waiting)",
        ),
        (
            "{at: 1m, to: approvals, event: review.waiting}",
            "36:30: expected review.waiting to approvals after 1m, got it after 0s",
        ),
        (
            "{to: approvals, event: review.waiting}, {to: leads, event: review.waiting}",
            "36:65: expected review.waiting to leads, but there was none",
        ),
    ],
)
def test_difference_is_reported_with_its_position(expected, problem):
    text = f"""  - name: t
    alerts: [{{labels: {{a: reviewed}}, title: Boom}}]
    until: 5m
    expect:
      notifications: [{expected}]
"""
    problems = list_problems(text)
    assert [line.partition(": ")[2] for line in problems] == [problem.partition(": ")[2]]
    assert problems[0].split(":")[0] == str(RULES.count("\n") + 5)


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("{to: aprovals, event: review.waiting}", 'unknown notifier "aprovals"; did you mean "approvals"?'),
        ("{to: leads, event: review.waitng}", 'unknown event "review.waitng"; did you mean "review.waiting"?'),
        (
            "{to: leads, event: review.waiting, destination: pag}",
            'there is no destination "pag"; did you mean "page"?',
        ),
        ("{to: leads}", '"event" is missing'),
        ("{to: leads, event: review.waiting, ad: 5m}", 'unknown key "ad"; valid here: at, destination, event, to'),
    ],
)
def test_invalid_expectation_is_refused_with_the_nearest_name(expected, problem):
    with pytest.raises(load.RulesRefused) as refused:
        list_results(
            f"  - {{name: t, alerts: [{{labels: {{a: reviewed}}}}], expect: {{notifications: [{expected}]}}}}\n"
        )
    assert problem in str(refused.value)
    assert str(refused.value).startswith(f"r.yaml:{RULES.count(chr(10)) + 1}:")


def test_any_notifier_is_accepted_without_known_notifiers():
    text = (
        "  - {name: t, alerts: [{labels: {a: owned}, severity: minor}], until: 1s, "
        "expect: {notifications: [{to: x, event: incident.opened}]}}\n"
    )
    assert list_problems(text, destinations=conftest.DESTINATIONS)[0].endswith(
        "expected incident.opened to x, but there was none"
    )


def test_nothing_is_announced_unless_a_test_expects_it():
    (result,) = list_results("  - {name: t, alerts: [{labels: {a: owned}, severity: minor}], expect: {}}\n")
    assert result.notifications == ()
