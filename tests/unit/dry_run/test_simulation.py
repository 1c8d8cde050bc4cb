"""Simulating rules over time: each incident opens once and ends once."""

from collections import Counter

import hypothesis
import pytest
from hypothesis import strategies as st

from router.domain import alerts
from router.worker import reviews
from tests.unit.dry_run import scenarios

RULES = """rules:
  - name: a
    when: {labels.k: a}
    timing: {open_after: 10s, resolve_after: 20s, reopen_within: 1m}
    open: [{at: on-call}]
  - name: b
    when: {labels.k: b}
    group_by: [labels.g]
    timing: {stale_after: 5m}
    open: [{at: on-call, name: "{{ incident.severity }}"}, {at: page, publish: auto, title: t}, {at: second}]
  - {name: c, when: {labels.k: c}, open: [{at: page, title: t}, {at: titled-page, publish: shadow}]}
  - {name: d, when: {labels.k: d}, ignore: never}
"""

APPROVED = reviews.ReviewDecision("approved", "somebody")


@pytest.fixture(scope="module")
def ruleset():
    return scenarios.rules(RULES)[0]


def alert(kind, *, status="firing", starts_at=1, group="", name="f", severity=""):
    labels = {"k": kind, "g": group}
    return alerts.Alert("test", f"{kind}{group}{name}", status, starts_at, 0, labels=labels, severity=severity)


def list_kinds(world, destination="on-call"):
    return [call.kind for call in world.calls if call.destination == destination]


def test_timers_expire_in_order_at_their_times(ruleset):
    world = scenarios.make_world(ruleset)
    world.arrive([alert("a")])
    world.move_to(scenarios.START + 60 * scenarios.SECOND)
    (call,) = world.calls
    assert (call.kind, call.at - scenarios.START) == ("open", 10 * scenarios.SECOND)
    assert world.now == scenarios.START + 60 * scenarios.SECOND


def test_worse_alert_updates_and_repeat_does_nothing(ruleset):
    world = scenarios.make_world(ruleset)
    world.arrive([alert("b", severity="info")])
    world.arrive([alert("b", severity="info")])
    world.arrive([alert("b", name="g", severity="critical")])
    assert list_kinds(world) == ["open", "update"]
    assert world.calls[-1].content.severity.word == "critical"


def test_reviewed_post_opens_on_approval_and_shadow_never(ruleset):
    world = scenarios.make_world(ruleset)
    world.arrive([alert("c")])
    assert world.calls == []
    assert world.decide("page", APPROVED) == 1
    assert world.decide("page", APPROVED) == 0
    assert world.decide("titled-page", APPROVED) == 0
    assert world.decide("on-call", APPROVED) == 0
    assert [(call.kind, call.destination) for call in world.calls] == [("open", "page")]


def test_alert_with_changed_labels_ends_at_its_origin(ruleset):
    world = scenarios.make_world(ruleset)
    world.arrive([alert("b", group="1")])
    moved = alerts.Alert("test", "b1f", "resolved", 1, 2, labels={"k": "d"})
    world.arrive([moved])
    assert list_kinds(world) == ["open", "resolve"]


move = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("approve"), st.sampled_from(["page", "titled-page"])),
    st.tuples(
        st.sampled_from(["firing", "resolved"]),
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "1"]), st.sampled_from("fg"), st.integers(1, 3)),
    ),
)


@hypothesis.given(moves=st.lists(move, max_size=30))
def test_every_episode_opens_and_ends_once_per_destination(ruleset, moves):
    world = scenarios.make_world(ruleset)
    for what, argument in moves:
        if what == "wait":
            world.move_to(world.now + argument * scenarios.SECOND)
        elif what == "approve":
            world.decide(argument, APPROVED)
        else:
            kind, group, name, starts_at = argument
            world.arrive([alert(kind, status=what, group=group, name=name, starts_at=starts_at)])
    for kind in "abc":
        for group in ("", "1"):
            for name in "fg":
                world.arrive([alert(kind, status="resolved", group=group, name=name, starts_at=9)])
    world.move_to(world.now + 3600 * scenarios.SECOND)
    counts = Counter((call.episode, call.destination, call.kind) for call in world.calls)
    opened = {key[:2] for key in counts if key[2] == "open"}
    assert {key[:2] for key in counts if key[2] == "resolve"} == opened
    assert all(count == 1 for key, count in counts.items() if key[2] != "update")
    assert all(incident.status == "closed" for incident in world.incidents.values())
    assert "titled-page" not in {call.destination for call in world.calls}
