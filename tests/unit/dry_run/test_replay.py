"""Comparing two rule sets over the same recordings: only added, removed, and changed incidents are reported."""

from router.bootstrap import public_pages
from router.domain import alerts
from router.domain.recordings import Recording
from router.dry_run import replay, simulation
from tests.unit.dry_run import scenarios

RULES = """rules:
  - name: shop
    when: {labels.service: shop}
    severity: major
    group_by: [labels.region]
    timing: {resolve_after: 1m}
    open: [{at: on-call, name: "{{ alert.title }}"}, {at: page, title: Down, publish: review}]
  - {name: rest, when: {labels.service: api}, open: [{at: on-call}]}
"""


def make_recordings(*moves):
    """Make deliveries from (seconds, status, labels)."""
    for number, (seconds, status, labels) in enumerate(moves):
        alert = alerts.Alert("am", repr(sorted(labels.items())), status, 1, 0, "Boom", labels)
        yield Recording(f"d{number}", "am", scenarios.START + seconds * scenarios.SECOND, [alert])


EU, US, API = {"service": "shop", "region": "eu"}, {"service": "shop", "region": "us"}, {"service": "api"}
MOVES = [(0, "firing", EU), (10, "firing", US), (20, "firing", API), (30, "firing", {"x": "y"}), (300, "resolved", EU)]


def run_replay(text, moves=MOVES):
    ruleset, _, _ = scenarios.rules(text)
    scene = simulation.Simulation(ruleset.decide, scenarios.PLACES, public_pages.render, approves=True)
    return replay.play(make_recordings(*moves), scene, ruleset.version, tail=3600 * scenarios.SECOND)


def compare(*changes):
    after = RULES
    for change in changes:
        assert change[0] in after
        after = after.replace(*change)
    return replay.compare(run_replay(RULES), run_replay(after))


def test_replay_counts_and_lists_its_calls():
    one = run_replay(RULES)
    assert (one.deliveries, one.alerts, one.ignored) == (5, 5, 1)
    assert [(life.key, life.rule, life.severity, bool(life.closed_at)) for life in one.lives] == [
        ('shop{labels.region="eu"}', "shop", "major", True),
        ('shop{labels.region="us"}', "shop", "major", False),
        ("rest", "rest", "minor", False),
    ]
    eu = one.lives[0]
    assert [(call.kind, call.destination, call.publish, call.after // scenarios.SECOND) for call in eu.calls] == [
        ("open", "on-call", "", 0),
        ("open", "page", "review", 0),
        ("resolve", "on-call", "", 360),
        ("resolve", "page", "review", 360),
    ]


def test_equal_rules_have_no_differences():
    difference = replay.compare(run_replay(RULES), run_replay(RULES))
    assert not difference.any
    assert difference.same == 3


def test_changed_review_deadline_is_reported():
    difference = compare(("title: Down", "title: Down, review: {timeout: 15m, on_timeout: publish}"))
    assert list(replay.differences(difference.change[0])) == [
        ("open at page: review", "no deadline", "publish after 15m"),
        ("resolve at page: review", "no deadline", "publish after 15m"),
    ]


def test_changed_text_is_reported():
    difference = compare(("title: Down", "title: Unavailable"))
    assert (len(difference.change), difference.same) == (2, 1)
    assert list(replay.differences(difference.change[0])) == [
        ("open at page: title", "Down", "Unavailable"),
        ("resolve at page: title", "Down", "Unavailable"),
    ]


def test_hold_delays_opening_and_shadow_removes_a_post():
    difference = compare(("{resolve_after: 1m}", "{open_after: 2m}"), ("publish: review", "publish: shadow"))
    eu = difference.change[0]
    assert list(replay.differences(eu)) == [
        ("opened", "after 0 s", "after 120 s"),
        ("closed", "after 360 s", "after 300 s"),
        ("open at page", "Down", ""),
        ("resolve at page", "Down", ""),
    ]


def test_changed_severity_and_publish_are_reported():
    difference = compare(("severity: major", "severity: critical"), ("publish: review", "publish: auto"))
    told = list(replay.differences(difference.change[0]))
    assert ("severity", "major", "critical") in told
    assert ("open at page: publish", "review", "auto") in told
    assert ("open at on-call: severity", "major", "critical") in told


def test_ignoring_rule_removes_and_new_rule_adds_incidents():
    ignoring = RULES.replace("open: [{at: on-call}]}", "ignore: quiet}")
    difference = replay.compare(run_replay(RULES), run_replay(ignoring))
    assert [life.key for life in difference.vanish] == ["rest"]
    assert difference.appear == ()
    back = replay.compare(run_replay(ignoring), run_replay(RULES))
    assert [life.key for life in back.appear] == ["rest"]


def test_incident_under_another_key_is_changed():
    difference = compare(("name: shop", "name: store"))
    assert (difference.appear, difference.vanish) == ((), ())
    assert list(replay.differences(difference.change[1]))[:2] == [
        ("key", 'shop{labels.region="us"}', 'store{labels.region="us"}'),
        ("rule", "shop", "store"),
    ]


def test_merged_incidents_are_one_changed_and_others_removed():
    difference = compare(("group_by: [labels.region]", "group_by: []"))
    assert [life.key for life in difference.vanish] == ['shop{labels.region="us"}']
    assert [change.after.key for change in difference.change] == ["shop"]


def test_second_call_of_a_kind_is_labeled():
    moves = [(0, "firing", EU), (5, "firing", {**EU, "n": "1"}), (9, "firing", {**EU, "n": "2"})]
    rules = RULES.replace(
        "severity: major", "severity: {from: labels.n, map: {'1': major, '2': critical}, default: info}"
    )
    other = rules.replace("title: Down", "title: Gone")
    difference = replay.compare(run_replay(rules, moves), run_replay(other, moves))
    names = [what for what, _, _ in replay.differences(difference.change[0])]
    assert names == ["open at page: title", "update at page: title", "update at page (2): title"]
